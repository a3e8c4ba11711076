//! Notifications for one user, for a team and for all, in the browser.
//!
//! `cargo run --manifest-path examples/notify/Cargo.toml`, then open <http://127.0.0.1:8040> as `ann`,
//! who may notify others, and <http://localhost:8040> as `bob`: another host, so another cookie.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{env, time::Duration};

use axum::extract::rejection::StringRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve::ListenerExt};
use sse_proto::broadcast::{Handle, Retention, SubscribeOptions};
use sse_proto::http::{last_event_id, response, stop};
use sse_proto::{Broadcast, Event, EventStreamExt, Frame, Target, channel, event_type};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio::{net::TcpListener, select};

struct User {
    name: &'static str,
    /// The user's own topic, then the shared ones.
    topics: [&'static str; 2],
    may_notify: bool,
}

/// Stands for a database. The topics of a stream come from here, never from its request.
#[rustfmt::skip]
static USERS: [User; 3] = [
    User { name: "ann", topics: ["user/ann", "team/red"], may_notify: true },
    User { name: "bob", topics: ["user/bob", "team/red"], may_notify: false },
    User { name: "carol", topics: ["user/carol", "team/blue"], may_notify: false },
];

const MAX_BODY: usize = 16 << 10;
const MAX_SESSIONS: usize = 10_000;
const SESSION: Duration = Duration::from_secs(24 * 60 * 60);
/// At a shutdown, the streams end one after another in this time, so that their clients do not all
/// reconnect to the next server at once.
const WAVES: Duration = Duration::from_secs(2);

struct Session {
    user: &'static User,
    ends: Instant,
    is_sent_away: bool,
    /// The target of each stream keeps the stream open.
    streams: Vec<(Target, Handle)>,
}

struct Hub {
    events: Broadcast,
    /// By token.
    sessions: Mutex<HashMap<String, Session>>,
    /// The names of the users who are here, as published last.
    here: watch::Sender<String>,
    stopping: watch::Receiver<bool>,
    allowed_origin: String,
}

impl Hub {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_right(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), StatusCode> {
        match session(&mut self.sessions(), uri, headers) {
            Some(session) if session.is_sent_away => Err(StatusCode::UNAUTHORIZED),
            Some(session) if session.user.may_notify => Ok(()),
            Some(_) => Err(StatusCode::FORBIDDEN),
            None => Err(StatusCode::UNAUTHORIZED),
        }
    }
}

/// Finds the session of a request by its token.
///
/// An `EventSource` can't set headers. It sends the cookie, which scripts can't read. A token in the
/// URL is for clients without cookies: it ends up in the logs of servers and proxies.
fn session<'a>(
    sessions: &'a mut HashMap<String, Session>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<&'a mut Session> {
    let cookies = headers
        .get(header::COOKIE)
        .and_then(|line| line.to_str().ok());
    let token = parameter(uri, "token").or_else(|| value(cookies?, ';', "token"))?;
    let session = sessions.get_mut(token)?;
    (session.ends > Instant::now()).then_some(session)
}

fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    value(uri.query()?, '&', name)
}

/// Finds a value among pairs. Those that are asked for here have no escapes.
fn value<'a>(pairs: &'a str, separator: char, name: &str) -> Option<&'a str> {
    let mut pairs = pairs
        .split(separator)
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

async fn login(State(hub): State<Arc<Hub>>, uri: Uri) -> Result<impl IntoResponse, StatusCode> {
    // A login of your own asks for more than a name.
    let user = USERS
        .iter()
        .find(|user| parameter(&uri, "user") == Some(user.name));
    let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
    let random = || getrandom::u64().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    let token = format!("{:016x}{:016x}", random()?, random()?);
    let (now, streams) = (Instant::now(), Vec::new());
    let session = Session {
        user,
        ends: now + SESSION,
        is_sent_away: false,
        streams,
    };
    let mut sessions = hub.sessions();
    sessions.retain(|_, session| session.ends > now);
    if sessions.len() == MAX_SESSIONS {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    sessions.insert(token.clone(), session);
    // Add `Secure` where the site is served by TLS.
    let cookie = format!(
        "token={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}",
        SESSION.as_secs()
    );
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

async fn events(State(hub): State<Arc<Hub>>, uri: Uri, headers: HeaderMap) -> Response {
    let mut sessions = hub.sessions();
    let Some(session) = session(&mut sessions, &uri, &headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if session.is_sent_away {
        return stop();
    }
    let last = last_event_id(headers.get_all("last-event-id"), uri.query(), "lastEventId");
    let options = SubscribeOptions::new().with_topics(session.user.topics);
    // Tells a client that cannot be resumed that it may have missed events.
    let reset = Event::new(event_type!("reset"), "{}");
    let subscription = hub.events.subscribe_with(last, &options).or_oldest(&reset);
    // What this client alone is told, after what it missed. Later changes come as events for all.
    let (own, stream) = channel();
    session.streams.retain(|(own, _)| !own.is_closed());
    session.streams.push((own.clone(), subscription.handle()));
    let stream = subscription.merge(stream);
    let here = hub.here.borrow().clone();
    for event in [
        Event::new(event_type!("hello"), session.user.name),
        presence(here),
    ] {
        // It is refused only if the stream has ended.
        let _ = own.dispatch(&event);
    }
    let back = Duration::from_secs(1) + random(2 * WAVES);
    let bye = Event::new(event_type!("bye"), "The server restarts.").with_reconnection_time(back);
    let end = end(hub.stopping.clone(), session.ends);
    response(
        stream
            .with_defaults(sleep)
            .until(end)
            .with_farewell(Frame::new(&bye)),
    )
    .into_response()
}

/// Waits for the end of a stream: that of its session, or its turn when the server ends.
async fn end(stopping: watch::Receiver<bool>, session_ends: Instant) {
    select! {
        () = stopped(stopping) => sleep(random(WAVES)).await,
        () = sleep_until(session_ends) => {}
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error says that the sender is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn random(most: Duration) -> Duration {
    most.mul_f64(f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX))
}

fn presence(here: String) -> Event<'static> {
    Event::new(event_type!("presence"), here)
}

/// Publishes who is here. One event tells of all changes within a moment, so a client that reconnects
/// does not come and go, and presence takes little of the log.
async fn tell_presence(hub: Arc<Hub>, changed: Arc<Notify>) {
    loop {
        changed.notified().await;
        sleep(Duration::from_millis(500)).await;
        let is_here = |user: &&User| hub.events.subscribers_of(user.topics[0]) > 0;
        let names: Vec<_> = USERS.iter().filter(is_here).map(|user| user.name).collect();
        let names = names.join(" ");
        // Kept before it is published: a client that subscribes in between is told twice, not never.
        if *hub.here.borrow() != names {
            hub.here.send_replace(names.clone());
            let _ = hub.events.publish(&presence(names));
        }
    }
}

/// Publishes the body to a topic, or to `all`.
async fn notify(
    State(hub): State<Arc<Hub>>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<String, StringRejection>,
) -> Result<StatusCode, StatusCode> {
    hub.check_right(&uri, &headers)?;
    let text = body.map_err(|refused| refused.status())?;
    let published = match parameter(&uri, "to").ok_or(StatusCode::BAD_REQUEST)? {
        "all" => hub.events.publish(&Event::new(event_type!("all"), text)),
        topic if USERS.iter().any(|user| user.topics.contains(&topic)) => {
            let is_private = topic.starts_with("user/");
            let event_type = if is_private {
                event_type!("private")
            } else {
                event_type!("team")
            };
            hub.events.publish_to(topic, &Event::new(event_type, text))
        }
        _ => return Err(StatusCode::NOT_FOUND),
    };
    published
        .map(|_| StatusCode::NO_CONTENT)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// Ends the sessions of a user, and their streams. The next request of each stream is stopped.
async fn send_away(
    State(hub): State<Arc<Hub>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<StatusCode, StatusCode> {
    hub.check_right(&uri, &headers)?;
    let name = parameter(&uri, "user");
    let bye = Frame::new(&Event::new(event_type!("bye"), "You were sent away."));
    for session in hub
        .sessions()
        .values_mut()
        .filter(|session| Some(session.user.name) == name)
    {
        session.is_sent_away = true;
        for (_, handle) in &session.streams {
            handle.close(Some(bye.clone()));
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// In the text format of Prometheus. A service of your own hides it from the public.
async fn metrics(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    let now = hub.events.statistics();
    let mut text = String::new();
    for (name, kind, value) in [
        ("subscribers", "gauge", now.subscribers as u64),
        ("lagging", "gauge", now.lagging as u64),
        ("most_behind", "gauge", now.most_behind),
        ("topics", "gauge", now.topics as u64),
        ("retained_frames", "gauge", now.retained_frames as u64),
        ("retained_bytes", "gauge", now.retained_bytes),
        ("lagged_total", "counter", now.lagged),
        ("published_total", "counter", now.published),
    ] {
        // Writing to a string can't fail.
        let _ = writeln!(text, "# TYPE notify_{name} {kind}\nnotify_{name} {value}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

/// Lets pages of one other origin in, with their cookies, and refuses those of all others.
async fn cors(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let host = headers
        .get(header::HOST)
        .map_or(&b""[..], |host| host.as_bytes());
    let is_own = origin.as_bytes().split(|&byte| byte == b'/').nth(2) == Some(host);
    if !is_own && origin != hub.allowed_origin {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut response = if request.method() == Method::OPTIONS {
        let methods = (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
        let allowed = (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type");
        (
            StatusCode::NO_CONTENT,
            [methods, allowed, (header::ACCESS_CONTROL_MAX_AGE, "600")],
        )
            .into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let yes = header::HeaderValue::from_static("true");
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    headers.append(header::VARY, header::HeaderValue::from_static("origin"));
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8040".into());
    let allowed_origin = env::args().nth(2).unwrap_or("http://localhost:8041".into());
    let (stop, stopping) = watch::channel(false);
    ctrlc::set_handler(move || _ = stop.send_replace(true))?;
    let hub = Arc::new(Hub {
        events: Broadcast::new(Retention::default()),
        sessions: Mutex::default(),
        here: watch::Sender::default(),
        stopping: stopping.clone(),
        allowed_origin,
    });
    let changed = Arc::new(Notify::new());
    let changes = changed.clone();
    hub.events
        .on_presence(move |_topic, _is_here| changes.notify_one());
    tokio::spawn(tell_presence(hub.clone(), changed));
    let router = Router::new()
        .route("/", get(Html(include_str!("index.html"))))
        .route("/login", get(login))
        .route("/events", get(events))
        .route("/notify", post(notify))
        .route("/send-away", post(send_away))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(hub.clone(), cors))
        .with_state(hub);
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let server = axum::serve(listener, router).with_graceful_shutdown(stopped(stopping.clone()));
    select! {
        ended = server.into_future() => ended?,
        // Clients that read nothing are cut off.
        () = async { stopped(stopping).await; sleep(WAVES + Duration::from_secs(1)).await } => {}
    }
    Ok(())
}
