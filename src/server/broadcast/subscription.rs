//! The stream of one subscriber.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::core::{Core, Identity, State, version};
use super::filter::Filter;
use super::ids::Assigned;
use super::log::Log;
use super::options::Share;
use super::waiting::{self, NOWHERE};
use crate::server::now::NOW;
use crate::sync::MutexGuard;
use crate::wire::encode;
use crate::wire::field::EventId;

/// The frames of a [`Broadcast`](crate::Broadcast), for the body of one response.
///
/// One poll takes all frames that wait, up to 64 KiB, as one [`Bytes`] that is shared with the other
/// subscribers at the same place. (A frame above that is a chunk of its own. Where more waits than
/// fits, a chunk may be shorter, so that it need not be copied; and while events keep coming, what
/// was joined for another a moment ago is taken if it is at least half of what waits.)
///
/// # Memory
///
/// A subscriber is a place in the log and a waker: no queue. Idle it costs 96 bytes at most, this
/// type included. One that lags costs nothing more; options other than the default cost a box. A
/// chunk that was handed out is its holder's: it keeps up to 64 KiB of the log in memory, or one
/// larger frame, which all who hold chunks of the same frames share.
///
/// # Its end
///
/// It ends when the broadcast is closed, after all that was published; and when it lags, so that its
/// next frame is not retained any more, unless it
/// [skips ahead](SubscribeOptions::with_skip_ahead). An `EventSource` comes back by itself and is
/// resumed or told. An ended stream stays ended.
pub struct Subscription {
    core: Arc<Core>,
    reader: Reader,
}

/// What a subscriber is beside the core, so that the core is borrowed while it changes.
struct Reader {
    /// The number of the next frame to read.
    cursor: u64,
    /// Whose waker is kept; it is as long as `cursor` is the head and nothing is closed.
    registered: Identity,
    /// Where.
    place: u32,
    phase: Phase,
    filter: Option<Box<Filter>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reads,
    Ended(SubscriptionEnd),
}

/// Why a [`Subscription`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionEnd {
    /// The broadcast was closed, and all was delivered.
    Closed,
    /// It lagged: its next frame was not retained any more.
    Lagged,
}

impl Subscription {
    /// Stands where the number is that of the next frame.
    pub(super) fn new(
        core: &Arc<Core>,
        state: &mut State,
        cursor: u64,
        filter: Option<Box<Filter>>,
    ) -> Self {
        state.subscribers += 1;
        state.log.arrive(cursor);
        Self {
            core: Arc::clone(core),
            reader: Reader {
                cursor,
                registered: Identity::NOBODY,
                place: NOWHERE,
                phase: Phase::Reads,
                filter,
            },
        }
    }

    /// Returns why it has ended.
    pub fn end(&self) -> Option<SubscriptionEnd> {
        match self.reader.phase {
            Phase::Reads => None,
            Phase::Ended(end) => Some(end),
        }
    }

    /// Returns an id that stands for its place: a client that comes back with it gets what is
    /// published behind. `None` where ids are the user's.
    ///
    /// A client knows no id before the first event that it got. If it is cut by then, what it missed
    /// is lost in silence: so send this first, as a block with nothing but an id, before the stream is
    /// polled. Where ids are the user's, send the id of the last event that the state which the page
    /// shows includes; or publish one at the start, and let those without an id begin with the
    /// [oldest](crate::Restart::oldest) event.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt, stream};
    /// use sse_proto::{Broadcast, Event, EventId, Retention, Subscribed, to_bytes};
    ///
    /// let broadcast = Broadcast::assigning_ids(Retention::new(), 7);
    /// let subscription = broadcast.subscribe(None).or_live();
    /// let start = subscription.last_event_id().map(|id| Event::block().with_id(id));
    /// let first = start.as_ref().map(to_bytes);
    /// let mut body = stream::iter(first).chain(subscription);
    /// assert_eq!(body.next().now_or_never().flatten().unwrap(), "id: 7-0~\n\n");
    ///
    /// // The connection is cut. The client comes back, and missed nothing.
    /// drop(body);
    /// broadcast.publish(&Event::message("meanwhile"))?;
    /// let subscribed = broadcast.subscribe(Some(&EventId::from_static("7-0~")));
    /// assert!(matches!(subscribed, Subscribed::Resumed { missed: 1, .. }));
    /// # Ok::<(), sse_proto::PublishError>(())
    /// ```
    pub fn last_event_id(&self) -> Option<EventId<'static>> {
        let place = Assigned {
            epoch: self.core.epoch?,
            number: self.reader.cursor - 1,
            is_place: true,
        };
        // Digits are an id.
        place.text().as_str().parse().ok()
    }

    /// Returns how many frames wait, not all of which may be for this subscriber.
    pub fn lag(&self) -> u64 {
        match self.reader.phase {
            Phase::Reads => self.core.lock().log.head() - self.reader.cursor,
            Phase::Ended(_) => 0,
        }
    }

    /// The number of the next frame it reads.
    pub(super) fn cursor(&self) -> u64 {
        self.reader.cursor
    }

    /// The number that the next frame gets.
    pub(super) fn head(&self) -> u64 {
        self.core.next_number()
    }

    /// Whether the broadcast is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.core.version() % 2 == 1
    }

    /// Goes back to the oldest frame there is.
    pub(super) fn rewind(&mut self) {
        if self.reader.phase == Phase::Reads {
            let mut state = self.core.lock();
            let old = self.reader.unregister(&mut state);
            let oldest = state.log.oldest();
            state.log.pass(self.reader.cursor, oldest);
            self.reader.cursor = oldest;
            drop(state);
            drop(old);
        }
    }
}

impl Reader {
    /// Whether nothing has changed since this waker was kept.
    #[inline]
    fn waits_as(&self, core: &Core, waker: &Waker) -> bool {
        core.version() == version(self.cursor)
            && ((self.place != NOWHERE && self.registered == Identity::of(waker))
                || waker.will_wake(NOW))
    }

    fn poll(&mut self, core: &Core, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        // Cloning a waker runs code of the executor's, so it is done before there is a lock. Who has
        // read all is registered at once: it saves the next poll the lock.
        let mut waker = (!cx.waker().will_wake(NOW)).then(|| cx.waker().clone());
        for _ in 0..MOST_LOOKS {
            let mut state = core.lock();
            if self.cursor < state.log.oldest() {
                return self.lagged(state);
            }
            if self.cursor == state.log.head() {
                return self.at_head(state, waker);
            }
            let Some((next, bytes)) = self.take(&mut state.log, core.epoch) else {
                drop(state);
                return self.poll_filtered(core, cx);
            };
            self.move_to(next);
            let is_head = next == state.log.head();
            if bytes.is_empty() {
                if is_head {
                    return self.at_head(state, waker);
                }
                // Each chunk with a lock of its own: others wait for it.
                continue;
            }
            if is_head && state.end.is_none() {
                if let Some(waker) = waker.take() {
                    self.registered = Identity::of(&waker);
                    self.place = state.waiting.insert(waker);
                }
            }
            drop(state);
            return Poll::Ready(Some(bytes));
        }
        // Others want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes a chunk for which nobody is to be asked. `None` if there is somebody.
    #[inline]
    fn take(&self, log: &mut Log, epoch: Option<u64>) -> Option<(u64, Bytes)> {
        let filter = self.filter.as_deref();
        let share = filter.map_or(Share::Everybodys(None), |filter| filter.options.share());
        match share {
            Share::Nothing => None,
            _ if !log.has_scopes_from(self.cursor) => Some(log.take(self.cursor)),
            Share::Unscoped => None,
            Share::Everybodys(mine) => log.take_everybodys(self.cursor, mine, epoch),
        }
    }

    #[inline]
    fn move_to(&mut self, next: u64) {
        self.cursor = next;
        // What was kept went with the list when there was something to read.
        self.place = NOWHERE;
    }

    /// Polls with all frames read.
    fn at_head(
        &mut self,
        mut state: MutexGuard<'_, State>,
        mut waker: Option<Waker>,
    ) -> Poll<Option<Bytes>> {
        if let Some(end) = &state.end {
            let farewell = end.farewell.clone();
            self.finish(&mut state, SubscriptionEnd::Closed);
            drop(state);
            return Poll::Ready(farewell);
        }
        let mut old = None;
        if let Some(waker) = waker.take() {
            self.registered = Identity::of(&waker);
            if self.place == NOWHERE {
                self.place = state.waiting.insert(waker);
            } else {
                old = state.waiting.replace(self.place, waker);
            }
        }
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Polls with the next frame gone.
    fn lagged(&mut self, mut state: MutexGuard<'_, State>) -> Poll<Option<Bytes>> {
        state.lagged += 1;
        let skipped = self.filter.as_deref_mut().and_then(Filter::skip);
        let Some(skipped) = skipped else {
            self.finish(&mut state, SubscriptionEnd::Lagged);
            return Poll::Ready(None);
        };
        let oldest = state.log.oldest();
        let lost = oldest - self.cursor;
        state.log.pass(self.cursor, oldest);
        self.move_to(oldest);
        drop(state);
        Poll::Ready(Some(encode::to_bytes(&skipped(lost))))
    }

    fn finish(&mut self, state: &mut State, end: SubscriptionEnd) {
        if state.log.leave(self.cursor) {
            state.log.forget_join(self.cursor);
        }
        state.subscribers -= 1;
        self.place = NOWHERE;
        self.phase = Phase::Ended(end);
    }

    /// Polls where each frame is looked at: the log is read, and the reading is noted, under the
    /// lock; the user's predicates run in between.
    fn poll_filtered(&mut self, core: &Core, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        for _ in 0..MOST_LOOKS {
            let waker = (!cx.waker().will_wake(NOW)).then(|| cx.waker().clone());
            let mut state = core.lock();
            if self.cursor < state.log.oldest() {
                return self.lagged(state);
            }
            if self.cursor == state.log.head() {
                return self.at_head(state, waker);
            }
            let chunk = state.log.look(self.cursor);
            drop(state);
            drop(waker);
            // Who has no filter does not come here.
            let filter = self.filter.as_deref_mut();
            let picked = filter.map_or_else(Bytes::new, |one| one.pick(&chunk, core.epoch));
            core.lock().log.pass(self.cursor, chunk.next);
            self.move_to(chunk.next);
            if !picked.is_empty() {
                return Poll::Ready(Some(picked));
            }
        }
        // Others want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes back the waker, to be dropped without the lock.
    fn unregister(&mut self, state: &mut State) -> Option<waiting::Place> {
        let is_kept =
            self.place != NOWHERE && self.cursor == state.log.head() && state.end.is_none();
        let old = is_kept.then(|| state.waiting.remove(self.place)).flatten();
        self.place = NOWHERE;
        old
    }
}

/// How many chunks are looked at in one poll of which nothing is for the subscriber.
const MOST_LOOKS: usize = 16;

impl Stream for Subscription {
    type Item = Bytes;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Self { core, reader } = self.get_mut();
        if reader.phase != Phase::Reads {
            return Poll::Ready(None);
        }
        if reader.waits_as(core, cx.waker()) {
            return Poll::Pending;
        }
        reader.poll(core, cx)
    }
}

impl FusedStream for Subscription {
    fn is_terminated(&self) -> bool {
        self.reader.phase != Phase::Reads
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.reader.phase == Phase::Reads {
            let mut state = self.core.lock();
            let old = self.reader.unregister(&mut state);
            self.reader.finish(&mut state, SubscriptionEnd::Closed);
            drop(state);
            drop(old);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("end", &self.end())
            .field("lag", &self.lag())
            .finish_non_exhaustive()
    }
}
