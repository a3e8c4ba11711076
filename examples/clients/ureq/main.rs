//! Prints an event stream: `cargo run -p client-ureq -- URL`; the environment variable `AUTHORIZATION` sets that
//! header.

use std::error::Error;
use std::time::Duration;

use sse_proto::client::{Options, Update};
use ureq::http::HeaderValue;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: client-ureq URL")?;
    let authorization = std::env::var("AUTHORIZATION").ok();
    let authorization = authorization.map(HeaderValue::try_from).transpose()?;
    let idle_timeout = Duration::from_mins(1);
    for update in client_ureq::spawn(&url, Options::resilient(), idle_timeout, authorization) {
        // Printed with `{:?}`, because received text must not control the terminal.
        match update {
            Update::Opened => eprintln!("up"),
            Update::Item(item) => println!("{item:?}"),
            Update::TooLarge(error) => eprintln!("an event is lost: {error}"),
            Update::Lost(loss) => eprintln!(
                "lost: {loss}, again in {:?}: {:?}",
                loss.retry_in,
                loss.source()
            ),
            Update::Closed(loss) => return Err(loss.into()),
            _ => {}
        }
    }
    Ok(())
}
