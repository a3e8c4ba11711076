//! An event stream that comes back, over reqwest: the client as a stream.

use std::time::Instant;

use futures_util::Stream;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use sse_proto::EventSource;
use sse_proto::client::{EventSourceStream, Request, Response, Update};

/// Follows an event stream until it is closed for good, reconnecting by itself. To be polled on tokio.
///
/// `authorization` goes to the origin of the first URL, and to no other that a redirect leads to. Dropped, the stream
/// closes the connection.
///
/// # Errors
///
/// If reqwest can't make a client, such as for want of TLS.
pub fn follow(
    source: EventSource,
    authorization: Option<HeaderValue>,
) -> reqwest::Result<impl Stream<Item = Update>> {
    // Redirects are the machine's, as are timeouts; reqwest has none by default.
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()?;
    let started = Instant::now();
    Ok(EventSourceStream::new(
        source,
        move |request| open(http.clone(), request, authorization.clone()),
        tokio::time::sleep,
        move || started.elapsed(),
    ))
}

async fn open(
    http: reqwest::Client,
    request: Request,
    authorization: Option<HeaderValue>,
) -> reqwest::Result<(
    Response,
    impl Stream<Item = reqwest::Result<impl AsRef<[u8]>>>,
)> {
    if let Some(id) = request.unsendable_id() {
        eprintln!("the server can't resume after {id:?}");
    }
    let mut builder = http.get(request.url());
    for (name, value) in request.headers() {
        builder = builder.header(name, value.as_bytes());
    }
    if let Some(authorization) = authorization.filter(|_| request.may_have_credentials()) {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    let response = builder.send().await?;
    let head = Response::from_headers(response.status().as_u16(), response.headers());
    Ok((head, response.bytes_stream()))
}
