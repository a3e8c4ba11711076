//! Follows the event stream at a URL, and reconnects.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter;
use std::pin::pin;
use std::process::ExitCode;

use futures_util::{Stream, StreamExt, TryStreamExt};
use http_body_util::{BodyDataStream, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sse_proto::client::{EventSourceStream, Loss, LossReason, Options, Update};
use sse_proto::{EventId, EventSource, client};

use crate::note;
use crate::show::{printable, show, with_causes};

type Http = Client<HttpConnector, Empty<Bytes>>;

type Failure = Box<dyn Error + Send + Sync>;

/// Shows the events at a URL until the server sends the client away, or the reader of standard
/// output has gone.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn follow(url: &str, last_event_id: Option<&EventId<'_>>, json: bool) -> ExitCode {
    let mut source = EventSource::new(url, Options::resilient().with_comments(true));
    if let Some(id) = last_event_id {
        source = source.with_last_event_id(id);
    }
    // Follows no redirects and has no timeouts, because the `EventSource` handles both.
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let connect = |request| open(&http, request);
    let mut updates = pin!(EventSourceStream::new(source, connect, tokio::time::sleep));
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
            Update::Lost(loss) if is_hopeless(&loss) => {
                note(format_args!("closed: {}", with_causes(&loss)));
                return ExitCode::FAILURE;
            }
            Update::Lost(loss) => {
                let cut = if loss.is_interrupted {
                    ", an event was cut off"
                } else {
                    ""
                };
                let wait = loss.retry_in.unwrap_or_default();
                let reason = with_causes(&loss);
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
) -> Result<(client::Response, impl Stream<Item = Result<Bytes, Failure>>), Failure> {
    if let Some(id) = request.unsendable_id() {
        note(format_args!(
            "the server can't resume after {}",
            printable(&format!("{id:?}"))
        ));
    }
    if request.url().starts_with("https:") {
        return Err(NoTls.into());
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
    note(format_args!("closed: {}", with_causes(loss)));
    match loss.reason {
        LossReason::Rejected(204) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Returns whether the next attempt would fail in the same way.
fn is_hopeless(loss: &Loss) -> bool {
    let mut causes = iter::successors(loss.source(), |&error| error.source());
    causes.any(|error| {
        // A server without HTTP/1.1, such as one with HTTP/2 alone, fails with text that can't be
        // read.
        let is_other_protocol = error
            .downcast_ref()
            .is_some_and(|error: &hyper::Error| error.is_parse());
        is_other_protocol || error.is::<NoTls>() || error.is::<hyper::http::Error>()
    })
}

/// A redirect led to `https`.
#[derive(Debug)]
struct NoTls;

impl fmt::Display for NoTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no TLS in this example")
    }
}

impl Error for NoTls {}
