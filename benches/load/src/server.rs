//! The two servers: the same axum, the same little protocol, another way to send.
//!
//! `GET /events` is the stream; `POST /publish?from=N&events=K` publishes the events N to N + K - 1.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event as AxumEvent, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use sse_proto::adapt::KEEP_ALIVE_INTERVAL;
use sse_proto::broadcast::{Key, Retention};
use sse_proto::http::response;
use sse_proto::{Broadcast, Event, EventStreamExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// axum's `Sse` over tokio's broadcast: each client's task makes each event.
    Axum,
    /// `Broadcast`, mounted through `Body`.
    Ours,
    /// The same without keep-alive.
    Bare,
}

impl Kind {
    /// In the order of their turns.
    pub(crate) const ALL: [Self; 3] = [Self::Axum, Self::Ours, Self::Bare];

    /// The name in the report and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Ours => "sse-proto",
            Self::Bare => "without keep-alive",
        }
    }

    /// The server of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The numbers of the events to publish, in the query of the request.
type Numbers = Query<Vec<(String, u64)>>;

/// Serves on a free port, which it prints, until it is killed.
///
/// # Panics
///
/// When the system gives no port.
pub(crate) fn serve(kind: Kind) {
    // One thread: the other core is the clients'.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address").port());
        let listener = listener.tap_io(|socket| {
            let _ = socket.set_nodelay(true);
        });
        let router = match kind {
            Kind::Axum => axum_router(),
            Kind::Ours => our_router(true),
            Kind::Bare => our_router(false),
        };
        axum::serve(listener, router).await.expect("it serves");
    });
}

fn axum_router() -> Router {
    let (sender, _) = broadcast::channel::<(u64, Arc<str>)>(1024);
    let publish = sender.clone();
    Router::new()
        .route(
            "/events",
            get(async move || {
                let events = BroadcastStream::new(sender.subscribe()).map(|received| {
                    let (id, data) = received.expect("nobody lags in here");
                    let event = AxumEvent::default().event("tick").id(id.to_string());
                    Ok::<_, Infallible>(event.data(data))
                });
                Sse::new(events).keep_alive(KeepAlive::default())
            }),
        )
        .route(
            "/publish",
            post(async move |numbers: Numbers| {
                for number in range(&numbers) {
                    let _ = publish.send((number, data(number).into()));
                }
                StatusCode::NO_CONTENT
            }),
        )
}

fn our_router(keep_alive: bool) -> Router {
    let log = Broadcast::with_key(Retention::default(), Key::number());
    let publish = log.clone();
    Router::new()
        .route(
            "/events",
            get(async move || {
                let stream = log.subscribe(None).or_live_untold();
                if !keep_alive {
                    return response(stream).into_response();
                }
                let stream = stream.keep_alive(KEEP_ALIVE_INTERVAL, tokio::time::sleep);
                response(stream).into_response()
            }),
        )
        .route(
            "/publish",
            post(async move |numbers: Numbers| {
                for number in range(&numbers) {
                    let event = Event::message(data(number)).with_event_type(TICK);
                    publish.publish(&event.with_id(number)).expect("it fits");
                }
                StatusCode::NO_CONTENT
            }),
        )
}

const TICK: sse_proto::EventType<'static> = sse_proto::EventType::from_static("tick");

fn range(Query(numbers): &Numbers) -> std::ops::Range<u64> {
    let value = |name| {
        let found = numbers.iter().find(|(key, _)| key == name);
        found.map_or(0, |(_, value)| *value)
    };
    value("from")..value("from") + value("events")
}

/// The moment of the event comes first, so that the clients need not parse the rest.
fn data(number: u64) -> String {
    let at = now();
    format!(
        r#"{{"at":{at},"n":{number},"text":" the quick brown fox jumps over the lazy dog, and so on"}}"#
    )
}

/// Nanoseconds since 1970, on the clock that both processes have.
///
/// # Panics
///
/// When the clock stands before 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_nanos()).expect("before 2554")
}
