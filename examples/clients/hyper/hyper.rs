//! A reconnecting client over hyper, with the loop of the driver written out.
//!
//! `client-reqwest` does the same as a stream, in fewer lines.

use std::future::{Future, pending};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sse_proto::client::{Loss, Output, Update};
use sse_proto::{EventSource, client};

/// The error of a connection.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The longest body of a refusal that is kept.
const MAX_REFUSAL: usize = 8 << 10;

/// How long the body of a refusal may take. The client learns of the refusal only afterwards.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

type Http = Client<HttpConnector, Empty<Bytes>>;

/// Follows an event stream until the client closes, and passes every update to `see`.
///
/// `authorization` is sent only to the origin of the first URL, not to another origin after a
/// redirect. Dropping the future closes the connection.
pub async fn follow(
    mut source: EventSource,
    authorization: Option<HeaderValue>,
    mut see: impl FnMut(Update),
) -> Loss {
    // Follows no redirects and has no timeouts, because the `EventSource` handles both.
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let started = Instant::now();
    let now = || started.elapsed();
    let mut opening = None;
    let mut body: Option<Incoming> = None;

    source.start(now());
    loop {
        while let Some(output) = source.poll_output() {
            match output {
                Output::Request(request) => {
                    opening = Some(Box::pin(open(&http, request, authorization.clone())));
                }
                // Dropping them closes the connection.
                Output::Abort => (opening, body) = (None, None),
                Output::Opened => see(Update::Opened),
                Output::Lost(loss) => see(Update::Lost(loss)),
                Output::Closed(loss) => return loss,
                // An output of a later version, which needs no action.
                _ => {}
            }
        }
        let deadline = source.next_deadline();
        tokio::select! {
            response = some(&mut opening) => {
                opening = None;
                match response {
                    Ok((head, incoming)) => {
                        body = Some(incoming);
                        source.handle_response(now(), head);
                    }
                    Err(error) => source.handle_error(now(), error),
                }
            }
            frame = async { body.as_mut()?.frame().await }, if body.is_some() => match frame {
                Some(Ok(frame)) => {
                    // An event stream has no use for trailers.
                    let chunk = frame.into_data().unwrap_or_default();
                    let mut received = source.handle_bytes(now(), &chunk);
                    while let Some(step) = received.next_owned().transpose() {
                        see(step.map_or_else(Update::TooLarge, Update::Item));
                    }
                }
                Some(Err(error)) => {
                    body = None;
                    source.handle_error(now(), error);
                }
                None => {
                    body = None;
                    source.handle_end(now());
                }
            },
            () = tokio::time::sleep(deadline.unwrap_or_default().saturating_sub(now())), if deadline.is_some() => {
                source.handle_deadline(now());
            }
        }
    }
}

async fn open(
    http: &Http,
    request: client::Request,
    authorization: Option<HeaderValue>,
) -> Result<(client::Response, Incoming), Error> {
    if let Some(id) = request.unsendable_id() {
        eprintln!("the server can't resume after {id:?}");
    }
    let mut builder = Request::get(request.url());
    for (name, value) in request.headers() {
        builder = builder.header(name, value.as_bytes());
    }
    if let Some(authorization) = authorization.filter(|_| request.may_have_credentials()) {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    let (head, mut body) = http
        .request(builder.body(Empty::new())?)
        .await?
        .into_parts();
    let mut response = client::Response::from_headers(head.status.as_u16(), &head.headers);
    if !response.is_event_stream() {
        // The reader of the loss may want to see the body of the refusal.
        let text = Limited::new(&mut body, MAX_REFUSAL).collect();
        if let Ok(Ok(text)) = tokio::time::timeout(REFUSAL_TIMEOUT, text).await {
            response = response.with_attachment(text.to_bytes());
        }
    }
    Ok((response, body))
}

/// Resolves with the future. Never resolves if there is none.
async fn some<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}
