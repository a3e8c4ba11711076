//! Prints an event stream: `cargo run -p client-hyper -- URL`; the environment variable `AUTHORIZATION` sets that
//! header.

use std::error::Error;
use std::process::ExitCode;

use hyper::header::HeaderValue;
use sse_proto::EventSource;
use sse_proto::client::{Options, Update};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: client-hyper URL");
        return ExitCode::from(2);
    };
    let authorization = std::env::var("AUTHORIZATION").ok();
    let authorization = authorization.map(|text| HeaderValue::try_from(text).expect("a header"));
    let source = EventSource::new(&url, Options::resilient());
    // Printed with `{:?}`, because received text must not control the terminal.
    let closed = client_hyper::follow(source, authorization, |update| match update {
        Update::Opened => eprintln!("up"),
        Update::Item(item) => println!("{item:?}"),
        Update::TooLarge(error) => eprintln!("an event is lost: {error}"),
        Update::Lost(loss) => eprintln!(
            "lost: {loss}, again in {:?}: {:?}",
            loss.retry_in,
            loss.source()
        ),
        _ => {}
    });
    eprintln!("closed: {}", closed.await);
    ExitCode::FAILURE
}
