//! `Relay`, a `Broadcast` that follows the log of an engine.

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sse_proto::Broadcast;
use sse_proto::broadcast::{self, Key, Retention, SubscribeOptions};
use sse_proto::event::LastEventId;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::body::{Body, Live, Signals};
use crate::engine::{Engine, Facts};
use crate::entry::max_frame_len;
use crate::history::{Found, History, TooBusy};
use crate::id::{Id, Place};
use crate::metrics::{Counts, Metrics};
use crate::options::Options;
use crate::reader::{Failure, Reader};
use crate::subscribed::{Restart, Subscribed};

/// Follows the log of an engine, and serves it to clients that any node may have served before.
///
/// A relay has one reader, which publishes the entries into a local
/// [`Broadcast`](sse_proto::Broadcast). A client resumes from the local log, or from pages of the
/// engine's if it has been away for longer. The promise is "once, in order, or told": what a client
/// receives is a run of the log without a gap, from its last event ID on, or the client is told.
///
/// Clones are handles of one relay. When the last one is dropped, the reader ends, and the streams
/// end after what they have.
pub struct Relay<E: Engine> {
    inner: Arc<Inner<E>>,
    ending: Arc<Ending>,
}

/// Ends the tasks with the last handle.
struct Ending([AbortHandle; 2], Broadcast);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
        self.1.close(None);
    }
}

/// What the handles share with the reader and with clients that read pages.
pub(crate) struct Inner<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) broadcast: Broadcast,
    pub(crate) options: Arc<Options>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) history: History<E>,
    state: Mutex<State>,
    /// The number of proofs that the local log is the engine's.
    proofs: watch::Sender<u64>,
    signals: watch::Sender<Signals>,
}

#[derive(Clone, Copy)]
struct State {
    proved: Instant,
    cannot_read: Option<Instant>,
    /// The first entry of the engine's log, when the reader looked last.
    first: Place,
    /// Whether nothing was before it.
    is_whole: bool,
    /// The place after which the local log begins. An entry there was not read.
    origin: Place,
}

/// For how long a node is not ready after an entry that it cannot read.
const UNREADABLE_FOR: Duration = Duration::from_secs(60);

/// Whether a node should get clients. Returned by [`Relay::readiness`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Readiness {
    /// The local log was proved to be the engine's a short time ago.
    Ready,
    /// There was no proof for this time.
    Stale(Duration),
    /// There was an entry within the last minute that this node cannot read: a newer version wrote
    /// it, or it is larger than what this node retains. Its clients were told.
    Unreadable,
    /// [`Relay::drain`] was called.
    Draining,
}

impl<E: Engine> Relay<E> {
    /// Reads the newest entries, at least 1000 and those of the last 60 s before the last one, and
    /// then follows the log.
    ///
    /// # Errors
    ///
    /// If the retention is below the seed or the largest entry, or the engine does not answer.
    pub async fn open(engine: E, options: Options) -> Result<Self, OpenError<E::Error>> {
        if options.max_frames < options.seed_entries || options.max_bytes < options.seed_bytes {
            return Err(OpenError::RetentionBelowSeed);
        }
        if options.max_bytes < max_frame_len(engine.max_entry_len()) {
            return Err(OpenError::RetentionBelowEntry);
        }
        let (engine, options) = (Arc::new(engine), Arc::new(options));
        let counts = Arc::new(Counts::default());
        let key = Key::from_fn(|text| Some(E::order(Id::parse(text)?.place)));
        let retention = Retention::new(options.max_frames, options.max_bytes);
        let inner = Arc::new(Inner {
            broadcast: Broadcast::with_key(retention, key),
            history: History::new(&engine, &counts, &options),
            engine,
            options,
            counts,
            state: Mutex::new(State {
                proved: Instant::now(),
                cannot_read: None,
                first: Place::START,
                is_whole: true,
                origin: Place::START,
            }),
            proofs: watch::Sender::new(0),
            signals: watch::Sender::default(),
        });
        let (reader, follower) = Reader::open(Arc::clone(&inner)).await?;
        let broadcast = inner.broadcast.clone();
        let tasks = [
            tokio::spawn(reader.run(follower)),
            tokio::spawn(Arc::clone(&inner).watch_proofs()),
        ];
        Ok(Self {
            inner,
            ending: Arc::new(Ending(tasks.map(|task| task.abort_handle()), broadcast)),
        })
    }

    /// Subscribes a client, right after its last event ID. Returns when it is known what the client
    /// gets.
    ///
    /// A client without an id begins with the next entry. One whose id is in the local log costs the
    /// engine nothing, and nor does one with an id that this relay cannot have sent. The options are
    /// those of a [`Broadcast`](sse_proto::Broadcast), of which the relay sets the event of a place.
    ///
    /// # Errors
    ///
    /// If the engine, or the head of the log, did not come within the
    /// [patience](Options::with_patience), or too many clients wait. A client that comes back with
    /// its id loses nothing by waiting. An `EventSource` does so only after a response of status 200:
    /// answer it with a stream of nothing but a `retry:` that ends, and others with status 503.
    pub async fn subscribe(
        &self,
        options: &SubscribeOptions,
        last_event_id: impl Into<LastEventId<'_>>,
    ) -> Result<Subscribed, Busy> {
        let inner = &self.inner;
        let (place_type, place_data) = &inner.options.place;
        let options = options
            .clone()
            .with_place(place_type.clone(), place_data.clone());
        let last = last_event_id.into().into_owned();
        let id = match &last {
            LastEventId::Id(id) => Id::parse(&id.to_str()),
            LastEventId::None | LastEventId::Invalid => None,
        };
        match inner.subscribe(&options, &last, id).await {
            Ok(subscribed) => Ok(subscribed),
            Err(TooBusy) => {
                Counts::add(&inner.counts.busy);
                Err(Busy(()))
            }
        }
    }

    /// Returns whether this node should get clients: see [`readiness`](Self::readiness).
    pub fn ready(&self) -> bool {
        self.readiness() == Readiness::Ready
    }

    /// Returns whether this node should get clients, and why not.
    pub fn readiness(&self) -> Readiness {
        let state = *self.inner.state();
        let since = state.proved.elapsed();
        if self.inner.signals.borrow().drain.is_some() {
            Readiness::Draining
        } else if state
            .cannot_read
            .is_some_and(|at| at.elapsed() < UNREADABLE_FOR)
        {
            Readiness::Unreadable
        } else if since >= self.inner.options.stale_after {
            Readiness::Stale(since)
        } else {
            Readiness::Ready
        }
    }

    /// Ends all streams, each at a random moment within a time, and those that begin later too. The
    /// clients reconnect to other nodes with their ids. The node is not ready from now on.
    pub fn drain(&self, within: Duration) {
        self.inner
            .signals
            .send_modify(|signals| signals.drain = Some(within));
    }

    /// Returns what the relay has done since it was opened.
    pub fn metrics(&self) -> Metrics {
        self.inner.counts.read()
    }

    /// Returns the local log, to subscribe to and to ask. Never publish into it.
    pub fn broadcast(&self) -> &Broadcast {
        &self.inner.broadcast
    }
}

impl<E: Engine> Inner<E> {
    async fn subscribe(
        self: &Arc<Self>,
        options: &SubscribeOptions,
        last: &LastEventId<'static>,
        id: Option<Id>,
    ) -> Result<Subscribed, TooBusy> {
        let deadline = Instant::now() + self.options.patience;
        let mut is_fresh = false;
        loop {
            let local = self.broadcast.subscribe_with(last.clone(), options);
            let restart = |restart| Restart::new(restart, self.live());
            // Between two frames of the local log, the id is none of the log that this node has.
            let origin = self.state().origin;
            let is_between = matches!(local, broadcast::Subscribed::Unknown(_))
                && (origin == Place::START || id.is_none_or(|id| id.place != origin));
            let unresumed = match local {
                broadcast::Subscribed::Live(one) => {
                    Counts::add(&self.counts.from_log);
                    return Ok(Subscribed::Live(Body::new_client(one, self.live())));
                }
                broadcast::Subscribed::Resumed { subscription, .. } => {
                    Counts::add(&self.counts.from_log);
                    return Ok(Subscribed::Resumed(Body::live(subscription, self.live())));
                }
                broadcast::Subscribed::Gap(one)
                | broadcast::Subscribed::Unknown(one)
                | broadcast::Subscribed::Ahead(one) => one,
            };
            let Some(id) = id else {
                Counts::add(&self.counts.unknown);
                return Ok(Subscribed::Unknown(restart(unresumed)));
            };
            let is_below = self.is_below_first(id.place);
            if is_between || is_below {
                // The engine may have gone over to a log that has the id. A proof that began after
                // the request shows that it has not, and costs no read of its own.
                if !is_fresh {
                    drop(unresumed);
                    self.await_proof(deadline).await?;
                    is_fresh = true;
                    continue;
                }
                return Ok(self.untold(is_between, restart(unresumed)));
            }
            drop(unresumed);
            match self.history.find(id, deadline).await? {
                Found::Exact(lines, at) if !lines.is_unreadable(at) => {
                    Counts::add(&self.counts.from_history);
                    let held = self.broadcast.hold(options);
                    return Ok(Subscribed::Resumed(Body::pages(self, held, id)));
                }
                found => {
                    let is_unknown = matches!(found, Found::Unknown);
                    // The client goes on after the head of now, so this is the place to tell.
                    let now = self.broadcast.subscribe_with(LastEventId::Invalid, options);
                    let broadcast::Subscribed::Unknown(now) = now else {
                        continue;
                    };
                    return Ok(self.untold(is_unknown, restart(now)));
                }
            }
        }
    }

    fn untold(&self, is_unknown: bool, restart: Restart) -> Subscribed {
        if is_unknown {
            Counts::add(&self.counts.unknown);
            Subscribed::Unknown(restart)
        } else {
            Counts::add(&self.counts.gaps);
            Subscribed::Gap(restart)
        }
    }

    /// Returns whether a place is before the first entry that the engine has, and is not the start of
    /// a log of which nothing was removed.
    fn is_below_first(&self, place: Place) -> bool {
        let state = self.state();
        let is_start = state.is_whole && place == Place::START;
        !is_start && E::order(place) < E::order(state.first)
    }

    /// Waits for a proof that began after this call.
    async fn await_proof(&self, deadline: Instant) -> Result<(), TooBusy> {
        let mut proofs = self.proofs.subscribe();
        // The first may have been on its way.
        for _ in 0..2 {
            match timeout_at(deadline, proofs.changed()).await {
                Ok(Ok(())) => {}
                _ => return Err(TooBusy),
            }
        }
        Ok(())
    }

    pub(crate) fn live(&self) -> Live {
        Live {
            options: Arc::clone(&self.options),
            signals: self.signals.subscribe(),
        }
    }

    /// Tells the streams when the relay becomes stale, and when it is up to date again.
    async fn watch_proofs(self: Arc<Self>) {
        let mut proofs = self.proofs.subscribe();
        loop {
            let until = self.state().proved + self.options.stale_after;
            let is_stale = until <= Instant::now();
            self.signals.send_if_modified(|signals| {
                core::mem::replace(&mut signals.is_stale, is_stale) != is_stale
            });
            if is_stale {
                // The sender is in `self`.
                let _ = proofs.changed().await;
            } else {
                proofs.mark_unchanged();
                sleep_until(until).await;
            }
        }
    }

    /// Enters that the local log was the engine's a moment ago.
    pub(crate) fn prove(&self) {
        self.state().proved = Instant::now();
        self.proofs.send_modify(|proofs| *proofs += 1);
    }

    /// Enters where the engine's log begins. After a failover that may be an older place.
    pub(crate) fn begins(&self, facts: &Facts) {
        let mut state = self.state();
        state.first = facts.first.unwrap_or(facts.last);
        state.is_whole = facts.is_whole;
    }

    /// Enters the place after which the local log begins.
    pub(crate) fn begins_after(&self, origin: Place) {
        self.state().origin = origin;
    }

    /// Enters that it is not known where the engine's log begins.
    pub(crate) fn begins_anywhere(&self) {
        self.state().first = Place::START;
    }

    /// Enters that there was an entry that this node cannot read.
    pub(crate) fn cannot_read(&self) {
        Counts::add(&self.counts.unreadable);
        self.state().cannot_read = Some(Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Engine> Clone for Relay<E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            ending: Arc::clone(&self.ending),
        }
    }
}

impl<E: Engine> fmt::Debug for Relay<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("readiness", &self.readiness())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

/// The engine did not answer in time, or too many clients wait for it. See [`Relay::subscribe`] for how
/// to answer.
#[derive(Debug, PartialEq)]
pub struct Busy(());

impl Busy {
    /// Returns when the client should try again, for a `retry:` or the header `Retry-After`.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_secs(2)
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the log did not answer in time")
    }
}

impl Error for Busy {}

/// Why a relay was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError<R> {
    /// The local log retains less than 1000 frames, or fewer bytes than the seed may have.
    RetentionBelowSeed,
    /// The local log retains fewer bytes than the largest entry of the engine may take on the wire:
    /// seven times its length, if its data are line feeds. It would be unreadable to this node.
    RetentionBelowEntry,
    /// The engine did not answer in time.
    Late,
    /// The engine refused.
    Engine(R),
}

impl<R> From<Failure<R>> for OpenError<R> {
    fn from(failure: Failure<R>) -> Self {
        match failure {
            Failure::Engine(error) => Self::Engine(error),
            Failure::Late | Failure::Moved => Self::Late,
        }
    }
}

impl<R: fmt::Display> fmt::Display for OpenError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RetentionBelowSeed => f.write_str("the local log retains less than the seed"),
            Self::RetentionBelowEntry => {
                f.write_str("the local log retains less than the largest entry may take")
            }
            Self::Late => f.write_str("the engine did not answer in time"),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl<R: Error + 'static> Error for OpenError<R> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Engine(error) => Some(error),
            Self::RetentionBelowSeed | Self::RetentionBelowEntry | Self::Late => None,
        }
    }
}
