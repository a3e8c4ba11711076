//! This machine's metrics, and the lines of standard input, live in the browser.
//!
//! ```text
//! cargo run --example serve
//! tail -f app.log | cargo run --example serve -- 127.0.0.1:9000
//! ```
//!
//! Some hours of events are kept. A page that reconnects gets each event that it missed exactly
//! once.

mod http;
mod input;
mod log;
mod metrics;
mod page;
mod publisher;
mod watch;

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use crate::log::log;
use crate::publisher::Publisher;

const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";
/// The time that open streams have at shutdown to send their last event.
const GRACE: Duration = Duration::from_secs(3);

// One thread is enough for the connections. The metrics and standard input block, so each has a
// thread of its own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Lossy, because `args` panics on arguments that are not Unicode. No address is lost: all of
    // them are Unicode.
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let address = match arguments.as_slice() {
        [] => DEFAULT_ADDRESS,
        [address] if !address.starts_with('-') => address,
        _ => {
            log(format_args!(
                "usage: serve [ADDRESS], by default {DEFAULT_ADDRESS}"
            ));
            return ExitCode::FAILURE;
        }
    };
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            match error.kind() {
                io::ErrorKind::AddrInUse => log(format_args!(
                    "cannot listen on {address}: the port is taken; name another address as the argument"
                )),
                _ => log(format_args!("cannot listen on {address}: {error}")),
            }
            return ExitCode::FAILURE;
        }
    };
    match serve(listener).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(format_args!("cannot serve: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves until Ctrl-C.
///
/// # Errors
///
/// If the system cannot return the local address, or cannot report Ctrl-C.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let publisher = Arc::new(Publisher::new());
    let graceful = GracefulShutdown::new();
    let mut interrupted = pin!(tokio::signal::ctrl_c());

    // Logged before all else, because a program that starts this one reads the address from the
    // first line.
    log(format_args!(
        "listening on http://{}, until Ctrl-C",
        listener.local_addr()?
    ));
    thread::spawn({
        let publisher = Arc::clone(&publisher);
        move || metrics::publish(&publisher)
    });
    if !io::stdin().is_terminal() {
        let publisher = Arc::clone(&publisher);
        thread::spawn(move || input::publish(&publisher));
    }

    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(http::connection(stream, peer, Arc::clone(&publisher), &graceful));
                }
                Err(error) => {
                    log(format_args!("cannot accept a connection: {error}"));
                    // If there are no file descriptors left, the next attempt would fail at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            interrupted = &mut interrupted => {
                interrupted?;
                break;
            }
        }
    }

    drop(listener);
    publisher.end();
    tokio::select! {
        () = graceful.shutdown() => log(format_args!("all connections have ended")),
        () = tokio::time::sleep(GRACE) => log(format_args!("some connections did not end in time and are cut")),
    }
    Ok(())
}
