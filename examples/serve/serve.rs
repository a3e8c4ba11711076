//! This machine's metrics, and the lines of standard input, live in the browser.
//!
//! ```text
//! cargo run --example serve
//! tail -f app.log | cargo run --example serve -- 127.0.0.1:9000
//! ```
//!
//! Some hours of events are kept: a page that reconnects gets what it has missed, once.

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
/// How long the open streams have for their last event once the program is to end.
const GRACE: Duration = Duration::from_secs(3);

// One thread is enough for the connections; the metrics and standard input block, and have their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Lossy, since `args` panics on what is not Unicode; no such address exists anyway.
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
/// When the system does not tell the address, or cannot report Ctrl-C.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let publisher = Arc::new(Publisher::new());
    let graceful = GracefulShutdown::new();
    let mut interrupted = pin!(tokio::signal::ctrl_c());

    // Before anything else has something to say: who starts this reads the address off the first line.
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
                    // Out of file descriptors, the next attempt would fail at once, and so on.
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
