//! The connections of a client of a plain stream: what each receives, and how it ends.

use std::future::{pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde_json::Value;
use sse_proto::adapt::{KEEP_ALIVE_INTERVAL, Preamble};
use sse_proto::broadcast::Retention;
use sse_proto::event::{LastEventId, START};
use sse_proto::http::{last_event_id, response};
use sse_proto::{Broadcast, Decoder, Event, EventId, EventStreamExt, Frame, Subscription, channel};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::cases::{self, Case, RETRY};
use super::seen::Expected;
use super::server::{Body, empty};
use super::silence::{KEEP_ALIVE, Silence};

/// The columns of the table.
pub(crate) const STAGES: [&str; 7] = [
    "cut at the start",
    "hard cases",
    "cut in a block",
    "cut before an event",
    "blank lines",
    "restart",
    "503",
];

/// The time between the last byte and a cut.
const BEFORE_CUT: Duration = Duration::from_millis(50);

/// The same after the hard cases, which a slow client takes longer to read.
const BEFORE_HARD_CUT: Duration = Duration::from_millis(500);

/// The form of keep-alives, and of a reconnection time that is sent alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Line,
    BlankLine,
    /// An event instead of a comment.
    Event,
}

/// A stream that may be cut.
pub(crate) type Stream = Pin<Box<dyn futures_util::Stream<Item = io::Result<Bytes>> + Send>>;

/// The story of one client.
#[derive(Debug)]
pub(crate) struct Story {
    /// The last event ID of each request.
    asked: Mutex<Vec<Option<String>>>,
    /// The broadcasts before and after the restart.
    logs: [Broadcast; 2],
    restart: Arc<Notify>,
    /// The JSON-RPC id of the call whose answer was cut.
    call: Mutex<Value>,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self {
            asked: Mutex::default(),
            logs: logs(),
            restart: Arc::default(),
            call: Mutex::default(),
        }
    }

    /// Sets the JSON-RPC id of the call whose answer is cut.
    pub(crate) fn set_call(&self, number: Value) {
        *self.call.lock().expect("no panic") = number;
    }

    /// Returns the JSON-RPC id of the call whose answer was cut.
    pub(crate) fn call(&self) -> Value {
        self.call.lock().expect("no panic").clone()
    }

    /// Resolves when the server has to restart.
    pub(crate) async fn restarts(&self) {
        self.restart.notified().await;
    }

    /// Returns the last event ID of each request so far.
    pub(crate) fn asked(&self) -> Vec<Option<String>> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Records a request, and returns its number, from 0.
    pub(crate) fn count(&self, last_event_id: Option<String>) -> usize {
        let mut asked = self.asked.lock().expect("no panic");
        asked.push(last_event_id);
        asked.len() - 1
    }

    /// Answers the next request.
    pub(crate) fn response(&self, head: &Parts) -> Response<Body> {
        // Polyfills cannot set the header.
        let header = head.headers.get_all("last-event-id");
        let id = last_event_id(header, head.uri.query(), "lastEventId");
        let asked = match &id {
            LastEventId::Id(id) => Some(id.to_string()),
            LastEventId::None => None,
            LastEventId::Invalid => Some("an invalid id".into()),
        };
        let number = self.count(asked);
        let [log, next_log] = &self.logs;
        let resume = |log: &Broadcast| log.subscribe(id.clone()).or_oldest(&tells());
        let stream = match number {
            0 => cut(ended(start(resume(log), true)), BEFORE_CUT),
            1 => {
                let hard = cases::hard(start_id(log, None));
                cut(
                    sent(hard, Form::Line).chain(half()).boxed(),
                    BEFORE_HARD_CUT,
                )
            }
            // The client missed nothing. This stream ends without an error.
            2 => stream::empty().boxed(),
            3 => {
                let restart = Arc::clone(&self.restart);
                let restarts = stream::once(async move {
                    sleep(BEFORE_CUT).await;
                    restart.notify_one();
                    pending().await
                });
                let resumed = published(log, cases::resumed(), Form::BlankLine, resume(log));
                resumed.chain(restarts).boxed()
            }
            4 => {
                next_log
                    .publish(&cases::restarted().event)
                    .expect("it is open");
                // The event that tells has the id.
                ended(start(resume(next_log), false))
            }
            5 => return empty(StatusCode::SERVICE_UNAVAILABLE),
            6 => published(next_log, cases::last(), Form::Line, resume(next_log)),
            // Tells the client to stop.
            _ => return empty(StatusCode::NO_CONTENT),
        };
        event_stream(stream)
    }
}

/// The events that a client should receive, and the requests that it should send.
#[derive(Debug)]
pub(crate) struct Expectation {
    pub(crate) events: Vec<Expected>,
    /// The column and the last event ID of each request.
    pub(crate) requests: Vec<(usize, Option<String>)>,
}

impl Expectation {
    pub(crate) fn new() -> Self {
        let [log, _] = logs();
        let next_log = Broadcast::with_epoch(Retention::default(), 8);
        let first = start_id(&log, None);
        let resumed = numbered(&log, cases::resumed());
        let unknown = start_id(&log, None);
        let oldest = numbered(&next_log, vec![before()]);
        let restarted = numbered(&next_log, vec![cases::restarted()]);
        let second = start_id(&next_log, Some(&unknown));
        let last = numbered(&next_log, cases::last());
        // The column of the request, the column of the response, and its events.
        let connections = [
            (0, 0, vec![cases::start(first.clone())]),
            (0, 1, cases::hard(first)),
            (2, 2, Vec::new()),
            (3, 4, resumed),
            (
                5,
                5,
                [vec![cases::start(second)], oldest, restarted].concat(),
            ),
            (5, 5, Vec::new()),
            (6, 6, last),
        ];
        let (mut events, mut requests, mut id) = (Vec::new(), Vec::new(), String::new());
        for (coming, stage, cases) in connections {
            requests.push((coming, (!id.is_empty()).then(|| id.clone())));
            events.extend(Expected::list(stage, &cases, &id));
            if let Some(last) = events.last() {
                id.clone_from(&last.seen.id);
            }
        }
        Self { events, requests }
    }
}

/// Makes the broadcasts before and after the restart. Both have an event from before the client.
fn logs() -> [Broadcast; 2] {
    let logs = [7, 8].map(|epoch| Broadcast::with_epoch(Retention::default(), epoch));
    for log in &logs {
        log.publish(&before().event).expect("it is open");
    }
    logs
}

fn before() -> Case {
    Case::new("the oldest after a restart", Event::message("before all"))
}

/// Returns the id at which a client starts that brings this one.
fn start_id(log: &Broadcast, id: Option<&EventId<'_>>) -> EventId<'static> {
    let subscription = log.subscribe(id.cloned()).or_oldest(&tells());
    subscription.last_event_id().expect("ids are assigned")
}

/// Publishes events, and returns them with the ids that a subscriber receives.
fn numbered(log: &Broadcast, cases: Vec<Case>) -> Vec<Case> {
    let mut decoder = Decoder::new();
    let numbered = cases.into_iter().map(|mut case| {
        let mut subscription = log.subscribe(None).or_live_untold();
        log.publish(&case.event).expect("it is open");
        let bytes = subscription
            .next()
            .now_or_never()
            .flatten()
            .expect("an event");
        let mut items = decoder.feed(&bytes);
        while items.next().expect("no limit").is_some() {}
        let id = EventId::new(decoder.last_event_id().to_owned()).expect("an id");
        case.event = case.event.with_id(id);
        case
    });
    numbered.collect()
}

/// Makes a response with a stream.
pub(crate) fn event_stream(stream: Stream) -> Response<Body> {
    response(stream).map(|body| body.map_err(Into::into).boxed_unsync())
}

/// Returns a stream of events with keep-alives between them.
pub(crate) fn sent(cases: Vec<Case>, form: Form) -> Stream {
    let (target, stream) = channel();
    let silence = Silence::new();
    tokio::spawn(send(cases, silence.clone(), move |event| {
        if let Some(event) = event {
            // Fails if the client is gone.
            let _ = target.dispatch(event);
        } else {
            target.close();
        }
    }));
    kept_alive(stream, form, &silence)
}

/// Passes events to `send`, with silence after those that want it; `None` is the end.
async fn send(cases: Vec<Case>, silence: Silence, mut send: impl FnMut(Option<&Event<'_>>) + Send) {
    for case in cases {
        send(Some(&case.event));
        if case.is_paused {
            silence.pass().await;
        }
    }
    send(None);
}

/// Adds keep-alives, and a comment and a reconnection time at the start.
fn kept_alive(
    stream: impl EventStreamExt<Item = Bytes> + Send + 'static,
    form: Form,
    silence: &Silence,
) -> Stream {
    let kept_alive = stream.keep_alive(KEEP_ALIVE_INTERVAL, silence.timer());
    let kept_alive = match form {
        Form::Line | Form::BlankLine => kept_alive.with_blank_line(form == Form::BlankLine),
        Form::Event => kept_alive.with_frame(Frame::new(&Event::message(KEEP_ALIVE))),
    };
    let silence = silence.clone();
    let noted = kept_alive.inspect(move |bytes| silence.note(bytes));
    let first = match form {
        Form::Line | Form::BlankLine => Preamble::new()
            .with_comment("welcome")
            .with_reconnection_time(RETRY)
            .with_blank_line(form == Form::BlankLine),
        Form::Event => Preamble::new(),
    };
    let first = stream::iter([first.to_bytes()]).filter(|bytes| ready(!bytes.is_empty()));
    first.chain(noted).map(Ok).boxed()
}

/// Publishes events while the returned stream is read, then closes the broadcast.
fn published(log: &Broadcast, cases: Vec<Case>, form: Form, subscription: Subscription) -> Stream {
    let silence = Silence::new();
    let publisher = log.clone();
    tokio::spawn(send(cases, silence.clone(), move |event| {
        if let Some(event) = event {
            // Fails if another connection has closed it.
            let _ = publisher.publish(event);
        } else {
            publisher.close(None);
        }
    }));
    kept_alive(subscription, form, &silence)
}

/// Returns the event that tells a client that it is not resumed.
fn tells() -> Event<'static> {
    Event::new(START, "{}")
}

/// Adds the start of a stream: with an id for a new client.
fn start(subscription: Subscription, is_new: bool) -> Stream {
    let id = subscription.last_event_id().filter(|_| is_new);
    let start = Preamble::new().with_id(id).with_reconnection_time(RETRY);
    subscription.preamble(&start).map(Ok).boxed()
}

/// Ends a stream when nothing more is ready.
fn ended(stream: Stream) -> Stream {
    let next = |mut stream: Stream| async {
        let item = timeout(BEFORE_CUT, stream.next()).await.ok().flatten();
        item.map(|item| (item, stream))
    };
    stream::unfold(stream, next).boxed()
}

/// Cuts the connection after the end of a stream.
fn cut(stream: Stream, after: Duration) -> Stream {
    let cut = stream::once(async move {
        sleep(after).await;
        Err(io::Error::other("cut"))
    });
    stream.chain(cut).boxed()
}

/// Returns the first half of an event.
fn half() -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::once(async { Ok(Bytes::from_static(b"data: half an event\ndata")) })
}
