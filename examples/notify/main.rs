//! Notifications for one user, for a team and for all, in the browser.
//!
//! `cargo run --manifest-path examples/notify/Cargo.toml`, then open <http://127.0.0.1:8040> as `ann`,
//! who may notify others, and <http://localhost:8040> as `bob`: another host, so another cookie.

mod users;

use std::{env, error::Error, fmt::Write, time::Duration};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve::ListenerExt};
use sse_proto::broadcast::{Retention, SubscribeOptions};
use sse_proto::http::{last_event_id, response, stop};
use sse_proto::{Broadcast, Event, EventStreamExt, Frame, event_type};
use tokio::sync::{Notify, watch};
use tokio::{net::TcpListener, select, time::sleep};
use tower_http::cors::CorsLayer;

use users::{User, Users, named, parameter};

/// The other origin whose pages may send requests with the cookie and read the answers. It is of the
/// same site (only the port differs), or browsers would keep the cookie back.
const ALLOWED_ORIGIN: HeaderValue = HeaderValue::from_static("http://localhost:8041");
const MAX_BODY: usize = 16 << 10;
/// At a shutdown, each stream ends at a random time within this one, and its client waits for a random
/// time. So the next server does not get all clients at once.
const WAVES: Duration = Duration::from_secs(2);

struct Hub {
    events: Broadcast,
    users: Users,
    presence_changed: Notify,
    is_stopping: watch::Sender<bool>,
}

type Shared = State<&'static Hub>;
type Done = Result<StatusCode, StatusCode>;

async fn login(State(hub): Shared, uri: Uri) -> Result<impl IntoResponse, StatusCode> {
    let (token, _) = named(&hub.users, &uri).ok_or(StatusCode::UNAUTHORIZED)?;
    // `Strict` keeps other sites from notifying in the user's name. Add `Secure` behind TLS.
    let cookie = format!("token={token}; HttpOnly; SameSite=Strict; Path=/");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

async fn events(State(hub): Shared, user: &'static User, uri: Uri, headers: HeaderMap) -> Response {
    if *user.is_sent_away.borrow() {
        return stop();
    }
    let last = last_event_id(headers.get_all("last-event-id"), uri.query(), "lastEventId");
    let options = SubscribeOptions::new().with_topics(&user.topics);
    // Tells a client that cannot be resumed that it may have missed events.
    let reset = Event::new(event_type!("reset"), "{}");
    let stream = hub.events.subscribe_with(last, &options).or_oldest(&reset);
    // A user's second stream changes no presence, but its client must learn who is here.
    hub.presence_changed.notify_one();
    let back = Duration::from_secs(1) + random(2 * WAVES);
    let bye = Event::new(event_type!("bye"), "{}").with_reconnection_time(back);
    let stream = stream.with_defaults(sleep).until(end(hub, user));
    response(stream.with_farewell(Frame::new(&bye))).into_response()
}

/// Waits for the end of a stream: the user is sent away, or the stream's turn at a shutdown has come.
async fn end(hub: &Hub, user: &User) {
    select! {
        () = set(&hub.is_stopping) => sleep(random(WAVES)).await,
        () = set(&user.is_sent_away) => {}
    }
}

async fn set(signal: &watch::Sender<bool>) {
    // The sender is there, so this can't fail.
    let _ = signal.subscribe().wait_for(|is_set| *is_set).await;
}

fn random(most: Duration) -> Duration {
    most.mul_f64(f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX))
}

/// Publishes who is here. One event tells of all changes within half a second. So a client that
/// reconnects does not appear to leave, and presence events push few others out of the log.
async fn tell_presence(hub: &Hub) {
    loop {
        hub.presence_changed.notified().await;
        sleep(Duration::from_millis(500)).await;
        let is_here = |user: &&User| hub.events.subscribers_of(&user.topics[0]) > 0;
        let here = hub.users.values().filter(is_here);
        let mut names: Vec<_> = here.map(|user| user.name).collect();
        names.sort_unstable();
        let event = Event::new(event_type!("presence"), names.join(" "));
        // Only a closed broadcast refuses it.
        let _ = hub.events.publish(&event);
    }
}

/// Publishes the body to a topic. The first line of the event names the topic.
async fn notify(State(hub): Shared, user: &'static User, uri: Uri, text: String) -> Done {
    user.check_right()?;
    let mut topics = hub.users.values().flat_map(|user| &user.topics);
    let topic = topics.find(|topic| parameter(&uri, "to") == Some(topic));
    let topic = topic.ok_or(StatusCode::NOT_FOUND)?;
    let event = Event::message(format!("{topic}\n{text}"));
    let published = hub.events.publish_to(topic, &event);
    published.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the streams of a user. The clients come back within seconds, and are stopped.
async fn send_away(State(hub): Shared, user: &'static User, uri: Uri) -> Done {
    user.check_right()?;
    let (_, sent) = named(&hub.users, &uri).ok_or(StatusCode::NOT_FOUND)?;
    sent.is_sent_away.send_replace(true);
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the counts in the text format of Prometheus. Hide this from the public on your own server.
async fn metrics(State(hub): Shared) -> impl IntoResponse {
    let now = hub.events.statistics();
    let mut text = String::new();
    for (name, kind, value) in [
        ("subscribers", "gauge", now.subscribers as u64),
        ("lagging", "gauge", now.lagging as u64),
        ("retained_bytes", "gauge", now.retained_bytes),
        ("published_total", "counter", now.published),
        ("lagged_total", "counter", now.lagged),
    ] {
        let _ = writeln!(text, "# TYPE notify_{name} {kind}\nnotify_{name} {value}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub: &Hub = Box::leak(Box::new(Hub {
        events: Broadcast::new(Retention::default()),
        users: users::by_token(),
        presence_changed: Notify::new(),
        is_stopping: watch::Sender::new(false),
    }));
    ctrlc::set_handler(|| _ = hub.is_stopping.send_replace(true))?;
    hub.events
        .on_presence(|_topic, _is_here| hub.presence_changed.notify_one());
    tokio::spawn(tell_presence(hub));
    let cors = CorsLayer::new()
        .allow_origin(ALLOWED_ORIGIN)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST]);
    let router = Router::new()
        .route("/", get(Html(include_str!("index.html"))))
        .route("/login", get(login))
        .route("/events", get(events))
        .route("/notify", post(notify))
        .route("/send-away", post(send_away))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(cors)
        .with_state(hub);
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8040".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let server = axum::serve(listener, router).with_graceful_shutdown(set(&hub.is_stopping));
    select! {
        ended = server.into_future() => ended?,
        // Cuts off clients that read nothing.
        () = async { set(&hub.is_stopping).await; sleep(WAVES + Duration::from_secs(1)).await } => {}
    }
    Ok(())
}
