//! Follows the event stream at a URL, and reconnects.

use std::error::Error;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Instant;

use futures_util::{Stream, StreamExt, TryStreamExt};
use http_body_util::{BodyDataStream, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sse_proto::client::{EventSourceStream, Loss, LossReason, Options, Update};
use sse_proto::{EventId, EventSource, client};

use crate::note;
use crate::show::{printable, show};

type Http = Client<HttpConnector, Empty<Bytes>>;

/// Shows the events at a URL until the client closes or standard output is closed.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn follow(url: &str, last_event_id: Option<&EventId<'_>>, json: bool) -> ExitCode {
    // Each `RandomState` has its own random keys, so the hash of no input is a random number.
    let seed = RandomState::new().build_hasher().finish();
    let mut source = EventSource::new(url, Options::resilient().with_comments(true), seed);
    if let Some(id) = last_event_id {
        source = source.with_last_event_id(id);
    }
    // Follows no redirects and has no timeouts, because the `EventSource` handles both.
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let started = Instant::now();
    let mut updates = pin!(EventSourceStream::new(
        source,
        |request| open(&http, request),
        tokio::time::sleep,
        || started.elapsed(),
    ));
    while let Some(update) = updates.next().await {
        match update {
            Update::Opened => note(format_args!("up")),
            Update::Item(item) => match show(&item, json) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => {
                    note(format_args!("{error}"));
                    return ExitCode::FAILURE;
                }
            },
            // An event above a limit is skipped. The stream continues.
            Update::TooLarge(error) => note(format_args!("event skipped: {error}")),
            Update::Error(error) => note(format_args!("{}", printable(&with_sources(&*error)))),
            Update::Lost(loss) => {
                let cut = if loss.is_interrupted {
                    ", an event was cut off"
                } else {
                    ""
                };
                let wait = loss.retry_in.unwrap_or_default();
                let reason = printable(&loss.to_string());
                note(format_args!("lost: {reason}{cut}; again in {wait:.1?}"));
            }
            Update::Closed(loss) => return ended(&loss),
            _ => {}
        }
    }
    ExitCode::SUCCESS
}

async fn open(
    http: &Http,
    request: client::Request,
) -> Result<
    (
        client::Response,
        impl Stream<Item = Result<Bytes, Box<dyn Error>>>,
    ),
    Box<dyn Error>,
> {
    if let Some(id) = request.unsendable_id() {
        note(format_args!("the server can't resume after {id:?}"));
    }
    let mut builder = Request::get(request.url());
    for (name, value) in request.headers() {
        builder = builder.header(name, value.as_bytes());
    }
    let response = http.request(builder.body(Empty::new())?).await?;
    let head = client::Response::from_headers(response.status().as_u16(), response.headers());
    Ok((
        head,
        BodyDataStream::new(response.into_body()).map_err(Into::into),
    ))
}

/// Reports the end. A 204 is a success: the server tells clients not to reconnect.
fn ended(loss: &Loss) -> ExitCode {
    note(format_args!("closed: {}", printable(&loss.to_string())));
    match loss.reason {
        LossReason::Rejected(204) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Joins the texts of an error and its sources. The text of the HTTP client alone does not name the
/// cause.
fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
