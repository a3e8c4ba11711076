//! Prints an event stream: `cargo run -p client-reqwest -- URL`; the environment variable `AUTHORIZATION` sets that
//! header.

use std::error::Error;

use futures_util::StreamExt;
use reqwest::header::HeaderValue;
use sse_proto_reqwest::{Options, Update};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: client-reqwest URL")?;
    let authorization = std::env::var("AUTHORIZATION").ok();
    let authorization = authorization.map(HeaderValue::try_from).transpose()?;
    let mut updates = client_reqwest::follow(&url, Options::resilient(), authorization)?;
    while let Some(update) = updates.next().await {
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
