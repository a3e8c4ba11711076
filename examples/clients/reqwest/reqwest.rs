//! A reconnecting client over reqwest: one call makes a request a stream.

use std::error::Error;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use sse_proto_reqwest::{EventSource, Options, Updates};

/// Follows an event stream until the client closes, and reconnects by itself. Poll the stream on
/// tokio.
///
/// `authorization` is sent only to the origin of the URL, not to another origin after a redirect.
/// Dropping the stream closes the connection.
///
/// # Errors
///
/// If reqwest cannot make a client, for example because TLS cannot be initialized, or if the URL is
/// malformed.
pub fn follow(
    url: &str,
    options: Options,
    authorization: Option<HeaderValue>,
) -> Result<Updates, Box<dyn Error>> {
    let http = reqwest::Client::builder().redirect(Policy::none());
    let mut request = http.build()?.get(url);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let events = EventSource::builder(request).with_options(options);
    Ok(events.build()?.updates())
}
