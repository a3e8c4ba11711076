//! The hub: what the requests do.

use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::StringRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts};
use axum::middleware::map_response_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use sse_proto::adapt::from_stream;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::event::LastEventId;
use sse_proto::http::{last_event_id, response};
use sse_proto::{Event, EventStreamExt, Frame, event_type};
use sse_proto_relay::Readiness;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::log::{Log, Unpublished};
use crate::users::{User, Users};

const MAX_BODY: usize = 16 << 10;
const KEY: &str = "idempotency-key";
/// The statuses that are counted.
const COUNTED: [u16; 7] = [400, 401, 403, 413, 429, 503, 504];

pub(crate) struct Hub {
    pub(crate) name: String,
    pub(crate) users: Users,
    /// Empty until the node has joined.
    pub(crate) log: OnceLock<Box<dyn Log>>,
    pub(crate) stage: watch::Sender<Stage>,
    /// At the end, each stream ends at a random moment within this time.
    pub(crate) waves: Duration,
    counts: [AtomicU64; COUNTED.len()],
}

#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    Serving,
    /// The node is not ready, so that balancers send nobody. Its streams go on.
    Leaving,
    /// The streams end, in waves.
    Ending,
}

type Shared = State<&'static Hub>;
type Unready = (StatusCode, String);

impl Hub {
    pub(crate) fn new(name: String, users: Users, waves: Duration) -> Self {
        Self {
            name,
            users,
            log: OnceLock::new(),
            stage: watch::Sender::new(Stage::Serving),
            waves,
            counts: Default::default(),
        }
    }

    pub(crate) fn router(&'static self) -> Router {
        Router::new()
            .route("/", get(Html(include_str!("index.html"))))
            .route("/login", post(login))
            .route("/me", get(me))
            .route("/events", get(events))
            .route("/topics/{*topic}", post(publish))
            .route("/health", get("this process answers\n"))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(map_response_with_state(self, finish))
            .with_state(self)
    }

    /// Returns the log if this node should get clients: otherwise 503, and why not. A balancer then
    /// asks another node.
    fn ready(&self) -> Result<&dyn Log, Unready> {
        let why = match (*self.stage.borrow(), self.log.get()) {
            (Stage::Serving, Some(log)) => match log.readiness() {
                Readiness::Ready => return Ok(&**log),
                readiness => format!("{readiness:?}\n"),
            },
            (Stage::Serving, None) => "Joining\n".to_owned(),
            _ => "Draining\n".to_owned(),
        };
        Err((StatusCode::SERVICE_UNAVAILABLE, why))
    }

    pub(crate) async fn reaches(&self, stage: Stage) {
        // The sender is there, so this can't fail.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// Waits for the turn of a stream to end.
    async fn turn(&self) {
        self.reaches(Stage::Ending).await;
        sleep(random(self.waves)).await;
    }
}

fn random(most: Duration) -> Duration {
    most.mul_f64(f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX))
}

pub(crate) fn random_word() -> String {
    let random = getrandom::u64().expect("the system has random numbers");
    format!("{random:016x}")
}

/// The user of a request. It comes before the body, so nothing is read from a stranger.
struct Caller(&'static User);

impl FromRequestParts<&'static Hub> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, hub: &&'static Hub) -> Result<Self, StatusCode> {
        hub.users.of(&parts.headers).map(Self)
    }
}

/// Signs in with the token in the body.
async fn login(State(hub): Shared, token: String) -> Result<impl IntoResponse, StatusCode> {
    hub.users.with_token(token.trim())?;
    // `Strict` keeps other sites from publishing in the user's name. Add `Secure` behind TLS.
    let cookie = format!("token={}; HttpOnly; SameSite=Strict; Path=/", token.trim());
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

/// Tells the page the user's name, and the topics that the user may publish to.
async fn me(Caller(user): Caller) -> String {
    format!("{} {}", user.name, user.publishes.join(","))
}

/// The user's stream. It begins with the name of this node.
async fn events(
    State(hub): Shared,
    Caller(user): Caller,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Unready> {
    let log = hub.ready()?;
    let last = last_event_id(headers.get_all("last-event-id"), uri.query(), "lastEventId");
    // A new client gets the id of the head, and so misses nothing if it is cut before an event.
    let head = match last {
        LastEventId::None => log.broadcast().last_event_id(),
        _ => None,
    };
    let last = head.clone().map_or(last, LastEventId::Id);
    let options = SubscribeOptions::new().with_topics(user.receives.iter().map(String::as_str));
    let body = log.subscribe(&options, last).await;
    let body = body.map_err(|busy| (StatusCode::SERVICE_UNAVAILABLE, format!("{busy}\n")))?;
    let node = Event::new(event_type!("node"), &*hub.name)
        .with_id_of(head)
        .with_reconnection_time(Duration::from_secs(1) + random(Duration::from_secs(1)));
    let node = node.to_bytes();
    let bye = Frame::new(&Event::new(event_type!("bye"), "{}"));
    let stream = from_stream(stream::iter([node]).chain(body)).until(hub.turn());
    Ok(response(stream.with_farewell(bye)).into_response())
}

/// Publishes the body to a topic. The first line of the event names the topic.
///
/// A request with the `Idempotency-Key` of an earlier one publishes nothing new. The answer has the key,
/// also one that was drawn here: after 504 the event may be there, and the key makes a second try safe.
async fn publish(
    State(hub): Shared,
    Caller(user): Caller,
    Path(topic): Path<String>,
    headers: HeaderMap,
    text: Result<String, StringRejection>,
) -> Result<(StatusCode, [(&'static str, String); 1]), StatusCode> {
    user.check_rate()?;
    user.check_right(&topic)?;
    let text = text.map_err(|refused| refused.status())?;
    let key = match headers.get(KEY).map(HeaderValue::to_str) {
        None => random_word(),
        Some(Ok(key)) if key.len() <= 64 && key.bytes().all(|b| b.is_ascii_graphic()) => key.into(),
        Some(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let log = hub.log.get().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let event = Event::message(format!("{topic}\n{text}"));
    // The keys of one user are apart from those of another.
    let of_user = format!("{}/{key}", user.name);
    let status = match log.publish(Some(&topic), event, of_user).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(Unpublished::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        Err(Unpublished::Refused) => StatusCode::SERVICE_UNAVAILABLE,
        Err(Unpublished::Unconfirmed) => StatusCode::GATEWAY_TIMEOUT,
    };
    Ok((status, [(KEY, key)]))
}

async fn ready(State(hub): Shared) -> Result<&'static str, Unready> {
    hub.ready().map(|_| "Ready\n")
}

/// In the text format of Prometheus. The balancer hides it from the public.
async fn metrics(State(hub): Shared) -> impl IntoResponse {
    let is_ready = u64::from(hub.ready().is_ok());
    let mut text = format!("# TYPE cluster_ready gauge\ncluster_ready {is_ready}\n");
    let mut line = |name: &str, kind: &str, value: u64| {
        let _ = writeln!(text, "# TYPE cluster_{name} {kind}\ncluster_{name} {value}");
    };
    if let Some(log) = hub.log.get() {
        let (now, relay) = (log.broadcast().statistics(), log.metrics());
        for (name, value) in [
            ("subscribers", now.subscribers as u64),
            ("lagging", now.lagging as u64),
            ("retained_frames", now.retained_frames as u64),
            ("retained_bytes", now.retained_bytes),
        ] {
            line(name, "gauge", value);
        }
        for (name, value) in [
            ("published_total", now.published),
            ("lagged_total", now.lagged),
            ("reconnections_total", relay.reconnections),
            ("rewinds_total", relay.rewinds),
            ("resets_total", relay.resets),
            ("unreadable_total", relay.unreadable),
            ("resumed_from_log_total", relay.from_log),
            ("resumed_from_history_total", relay.from_history),
            ("pages_total", relay.pages),
            ("told_gap_total", relay.gaps),
            ("told_unknown_total", relay.unknown),
            ("busy_total", relay.busy),
        ] {
            line(name, "counter", value);
        }
    }
    text.push_str("# TYPE cluster_refused_total counter\n");
    for (status, count) in COUNTED.iter().zip(&hub.counts) {
        let count = count.load(Ordering::Relaxed);
        let _ = writeln!(text, "cluster_refused_total{{status=\"{status}\"}} {count}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

/// Counts the answers that refuse a request, and says when to try again.
async fn finish(State(hub): Shared, mut response: Response) -> Response {
    let status = response.status();
    if let Some(at) = COUNTED.iter().position(|counted| *counted == status) {
        hub.counts[at].fetch_add(1, Ordering::Relaxed);
    }
    if let StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE = status {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}
