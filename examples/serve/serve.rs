//! This machine's metrics, and the lines of standard input, live in the browser.
//!
//! ```text
//! cargo run --example serve
//! tail -f app.log | cargo run --example serve -- 127.0.0.1:9000
//! ```
//!
//! Some hours of events are kept. A page that reconnects gets each event that it missed exactly
//! once.

mod host;
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
use tokio::signal::ctrl_c;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};

use crate::host::Hosts;
use crate::http::Service;
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
    match serve(listener, address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(format_args!("cannot serve: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves until Ctrl-C, or until SIGTERM, which asks a service to end.
///
/// # Errors
///
/// If the system cannot return the local address, or cannot report signals.
async fn serve(listener: TcpListener, address: &str) -> io::Result<()> {
    let service = Arc::new(Service {
        publisher: Publisher::new(),
        hosts: Hosts::new(address),
    });
    let graceful = GracefulShutdown::new();
    let mut told_to_end = pin!(told_to_end()?);

    // Logged before all else, because a program that starts this one reads the address from the
    // first line.
    log(format_args!(
        "listening on http://{}, until Ctrl-C",
        listener.local_addr()?
    ));
    thread::spawn({
        let service = Arc::clone(&service);
        move || metrics::publish(&service.publisher)
    });
    if !io::stdin().is_terminal() {
        let service = Arc::clone(&service);
        thread::spawn(move || input::publish(&service.publisher));
    }

    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(http::connection(stream, peer, Arc::clone(&service), &graceful));
                }
                Err(error) => {
                    log(format_args!("cannot accept a connection: {error}"));
                    // If there are no file descriptors left, the next attempt would fail at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            told = &mut told_to_end => {
                told?;
                break;
            }
        }
    }

    drop(listener);
    service.publisher.end();
    tokio::select! {
        () = graceful.shutdown() => log(format_args!("all connections have ended")),
        () = tokio::time::sleep(GRACE) => log(format_args!("some connections did not end in time and are cut")),
    }
    Ok(())
}

/// Returns a future that resolves at the first Ctrl-C or SIGTERM.
fn told_to_end() -> io::Result<impl Future<Output = io::Result<()>>> {
    #[cfg(unix)]
    let mut terminated = signal(SignalKind::terminate())?;
    #[cfg(unix)]
    let terminated = async move { terminated.recv().await };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    Ok(async {
        tokio::select! {
            interrupted = ctrl_c() => interrupted,
            _ = terminated => Ok(()),
        }
    })
}
