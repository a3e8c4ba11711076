//! A reconnecting client over ureq, which blocks: it runs on a thread of its own.

use std::io::Read;
use std::iter;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sse_proto::client::{Options, Output, Update};
use sse_proto::{EventSource, client};
use ureq::http::header::{AUTHORIZATION, HeaderValue};
use ureq::{Agent, BodyReader, Error};

type Updates = SyncSender<Update>;

/// The number of updates that may wait for the receiver. While the queue is full, the thread reads
/// nothing more.
const QUEUED: usize = 16;

/// Follows an event stream on a thread of its own. The thread ends after [`Update::Closed`], or at
/// the first update after the receiver was dropped.
///
/// `idle_timeout` replaces the one in the options. It also limits each read, including the wait for
/// a response. `authorization` is sent only to the origin of the URL, not to another origin after a
/// redirect.
pub fn spawn(
    url: &str,
    options: Options,
    idle_timeout: Duration,
    authorization: Option<HeaderValue>,
) -> Receiver<Update> {
    let options = options.with_idle_timeout(Some(idle_timeout));
    let source = EventSource::new(url, options);
    let agent: Agent = Agent::config_builder()
        // The `EventSource` follows redirects, and it takes every status as a response.
        .max_redirects(0)
        .http_status_as_error(false)
        // So that a blocked read returns at the deadline.
        .timeout_per_read(Some(idle_timeout))
        .build()
        .into();
    let (sender, updates) = sync_channel(QUEUED);
    thread::spawn(move || follow(source, &agent, authorization.as_ref(), &sender));
    updates
}

fn follow(
    mut source: EventSource,
    agent: &Agent,
    authorization: Option<&HeaderValue>,
    updates: &Updates,
) {
    let started = Instant::now();
    let now = || started.elapsed();
    let mut body: Option<BodyReader<'static>> = None;
    let mut buffer = vec![0; 16 << 10];

    source.start(now());
    loop {
        while let Some(output) = source.poll_output() {
            let update = match output {
                Output::Request(request) => {
                    let patience = source.next_deadline().map(|at| at.saturating_sub(now()));
                    match open(agent, &request, authorization, patience) {
                        Ok((head, reader)) => {
                            body = Some(reader);
                            source.handle_response(now(), head);
                        }
                        Err(error) => lose(&mut source, now(), error),
                    }
                    continue;
                }
                Output::Opened => Update::Opened,
                Output::Lost(loss) => Update::Lost(loss),
                Output::Closed(loss) => {
                    // Fails if the receiver was dropped.
                    let _ = updates.send(Update::Closed(loss));
                    return;
                }
                // Dropping the body closes the connection.
                Output::Abort => {
                    body = None;
                    continue;
                }
                // An output of a later version, which needs no action.
                _ => continue,
            };
            tell(&mut source, update, updates);
        }
        match body.as_mut().map(|body| body.read(&mut buffer)) {
            Some(Ok(0)) => {
                body = None;
                source.handle_end(now());
            }
            Some(Ok(len)) => {
                let mut received = source.handle_bytes(now(), &buffer[..len]);
                let mut steps = iter::from_fn(|| received.next_owned().transpose());
                let is_heard = steps.all(|step| {
                    let update = step.map_or_else(Update::TooLarge, Update::Item);
                    updates.send(update).is_ok()
                });
                if !is_heard {
                    source.close();
                }
            }
            Some(Err(error)) => {
                body = None;
                lose(&mut source, now(), error.into());
            }
            None => {
                let deadline = source.next_deadline().unwrap_or_default();
                thread::sleep(deadline.saturating_sub(now()));
                source.handle_deadline(now());
            }
        }
    }
}

/// Closes the client once the receiver was dropped.
fn tell(source: &mut EventSource, update: Update, updates: &Updates) {
    if updates.send(update).is_err() {
        source.close();
    }
}

/// A read that timed out counts as the deadline, if that has passed. Anything else is an error.
fn lose(source: &mut EventSource, now: Duration, error: Error) {
    let is_due = source
        .next_deadline()
        .is_some_and(|deadline| deadline <= now);
    if matches!(error, Error::Timeout(_)) && is_due {
        return source.handle_deadline(now);
    }
    source.handle_error(now, error);
}

fn open(
    agent: &Agent,
    request: &client::Request,
    authorization: Option<&HeaderValue>,
    patience: Option<Duration>,
) -> Result<(client::Response, BodyReader<'static>), Error> {
    if let Some(id) = request.unsendable_id() {
        eprintln!("the server can't resume after {id:?}");
    }
    let mut builder = agent.get(request.url());
    for (name, value) in request.headers() {
        builder = builder.header(name, value.as_bytes());
    }
    if let Some(authorization) = authorization.filter(|_| request.may_have_credentials()) {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    let config = builder.config().timeout_connect(patience);
    let response = config.timeout_recv_response(patience).build().call()?;
    let head = client::Response::from_headers(response.status().as_u16(), response.headers());
    Ok((head, response.into_body().into_reader()))
}
