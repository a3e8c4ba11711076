//! A reconnecting client over reqwest, as a stream.

use futures_util::Stream;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use sse_proto::EventSource;
use sse_proto::client::{EventSourceStream, Request, Response, Update};

/// Follows an event stream until the client closes, and reconnects by itself. Poll the stream on
/// tokio.
///
/// `authorization` is sent only to the origin of the first URL, not to another origin after a
/// redirect. Dropping the stream closes the connection.
///
/// # Errors
///
/// If reqwest cannot make a client, for example because TLS cannot be initialized.
pub fn follow(
    source: EventSource,
    authorization: Option<HeaderValue>,
) -> reqwest::Result<impl Stream<Item = Update>> {
    // Redirects are the machine's, as are timeouts; reqwest has none by default.
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()?;
    Ok(EventSourceStream::new(
        source,
        move |request| open(http.clone(), request, authorization.clone()),
        tokio::time::sleep,
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
