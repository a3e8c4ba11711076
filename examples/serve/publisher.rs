//! Gives each event to all clients.

use std::borrow::Cow;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use serde::Serialize;
use sse_proto::adapt::{EventStreamExt, KEEP_ALIVE_INTERVAL, Preamble};
use sse_proto::futures_core::Stream;
use sse_proto::{
    CloseReason, DispatchError, Dispatched, Event, EventId, EventType, Frame, Limits, TargetHandle,
    channel_with,
};
use sysinfo::System;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::log::log;

/// What an event may take on the wire, before it is numbered.
pub(crate) const EVENT_LIMIT: usize = 32 << 20;
/// What one client may be behind: an event of the largest size and what comes around it, or a burst
/// of small ones.
const LIMITS: Limits = Limits::new()
    .with_bytes(EVENT_LIMIT + (1 << 20))
    .with_frames(1 << 16);

const RECONNECTION_TIME: Duration = Duration::from_secs(1);

/// What one client is sent.
pub(crate) type Subscription = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// All clients, and the number of the next event.
pub(crate) struct Publisher {
    /// Tells a client that returns whether the server is still the one that it left.
    run: u128,
    ended: watch::Sender<bool>,
    state: Mutex<State>,
}

struct State {
    next_id: u64,
    next_client: u64,
    clients: Vec<Client>,
}

struct Client {
    name: String,
    target: TargetHandle,
}

/// The data of the first event of each stream, which has no id.
#[derive(Serialize)]
struct Hello<'a> {
    run: String,
    last_event_id: Option<Cow<'a, str>>,
    next_id: u64,
    host: Option<String>,
    system: Option<String>,
}

impl Publisher {
    pub(crate) fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            run: since_1970.unwrap_or_default().as_nanos(),
            ended: watch::Sender::new(false),
            state: Mutex::new(State {
                next_id: 1,
                next_client: 1,
                clients: Vec::new(),
            }),
        }
    }

    /// Numbers the event, encodes it once, and gives it to every client.
    ///
    /// All under one lock, so every client sees the events in the order of their ids. A client whose
    /// queue is full is cut off: it comes back with its Last-Event-ID and learns how much it missed,
    /// where a hole in an open stream would go unseen.
    pub(crate) fn publish(&self, event: Event<'_>) {
        let mut state = self.lock();
        let frame = Frame::new(&event.with_id(state.next_id));
        state.next_id += 1;
        state
            .clients
            .retain(|client| match client.target.dispatch_frame(&frame) {
                Ok(()) => true,
                Err(DispatchError::Closed(_)) => false,
                Err(error) => {
                    log(format_args!("{} is too slow: {error}", client.name));
                    client.target.end(CloseReason::Overflow);
                    false
                }
            });
    }

    /// Makes a stream for a new client. `cut` is notified when the client is cut off.
    pub(crate) fn subscribe(
        &self,
        peer: SocketAddr,
        last_event_id: Option<&EventId<'_>>,
        cut: Arc<Notify>,
    ) -> Subscription {
        let (target, stream) = channel_with(LIMITS);
        let mut state = self.lock();
        let name = format!("client {} at {peer}", state.next_client);
        state.next_client += 1;
        match last_event_id {
            None => log(format_args!("{name} connected")),
            // Quoted: the client chose this text, and a terminal shows it.
            Some(id) => log(format_args!("{name} connected, Last-Event-ID {id:?}")),
        }
        target.on_close({
            let (name, since) = (name.clone(), Instant::now());
            move |reason| {
                let lived = since.elapsed().as_secs_f32();
                log(format_args!(
                    "{name} disconnected: {reason}, after {lived:.1} s"
                ));
                if reason == CloseReason::Overflow {
                    cut.notify_one();
                }
            }
        });
        if let Err(error) = self.greet(&target, last_event_id, state.next_id) {
            log(format_args!("{name} could not be greeted: {error}"));
        }
        state.clients.push(Client { name, target });
        drop(state);

        // Goes out at once and by itself: with the first bytes the browser's `onopen` fires.
        let preamble = Preamble::new()
            .with_comment("events follow")
            .with_reconnection_time(RECONNECTION_TIME);
        let mut ended = self.ended.subscribe();
        let bye = Event::new(EventType::from_static("bye"), "the server ends");
        let stream = stream
            .until(async move { ended.wait_for(|&ended| ended).await.is_ok() })
            .with_farewell(Frame::new(&bye))
            .preamble(&preamble)
            .keep_alive(KEEP_ALIVE_INTERVAL, sleep);
        Box::pin(stream)
    }

    /// Ends the stream of every client, as well as those that still come, each with a last event.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    fn greet(
        &self,
        target: &TargetHandle,
        last_event_id: Option<&EventId<'_>>,
        next_id: u64,
    ) -> Result<Dispatched, Box<dyn Error>> {
        let hello = Event::json(&Hello {
            run: self.run.to_string(),
            last_event_id: last_event_id.map(EventId::to_str),
            next_id,
            host: System::host_name(),
            system: System::long_os_version(),
        })?;
        let hello = hello.with_event_type(EventType::from_static("hello"));
        Ok(target.dispatch(&hello)?)
    }

    /// No step in here leaves something half done, so a panic under the lock does no harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
