//! A subscription merged with a connection's own target.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::{FusedStream, Stream};

use super::subscription::Subscription;
use crate::server::machine::Failure;
use crate::server::sharing::{Shared, Sharing};
use crate::server::state::CloseReason;
use crate::server::stream::EventStream;
use crate::wire::field::EventId;

/// A subscription and a connection's own events in one stream. Made by [`Subscription::merge`].
// A chunk of the target is held until all frames are out that were published before it was taken.
// So each of its events comes after the frames that were published before its dispatch. The number
// of these frames does not grow, so the chunk goes out however fast frames come.
pub struct Merged<S: Sharing = Shared> {
    /// `None` once the stream has ended.
    subscription: Option<Subscription>,
    /// `None` once the target has ended.
    own: Option<EventStream<S>>,
    /// A chunk of the target, and the number of the first frame that may come after it.
    held: Option<(Bytes, u64)>,
    /// The frames that are delivered after the end of the target; all until it ends.
    rest: Rest,
    farewell: Option<Bytes>,
    /// The error that the target failed with, once it has ended.
    failure: Option<Failure>,
}

/// The frames that a merged stream still delivers.
enum Rest {
    None,
    /// Those before this number.
    Before(u64),
    All,
}

impl<S: Sharing> Merged<S> {
    pub(super) fn new(subscription: Subscription, own: EventStream<S>) -> Self {
        own.refuse_ids();
        Self {
            subscription: Some(subscription),
            own: Some(own),
            held: None,
            rest: Rest::All,
            farewell: None,
            failure: None,
        }
    }

    /// Closes the target for the reason [`CloseReason::Shutdown`]. The stream ends after everything
    /// published and dispatched so far. Returns whether this call closed it.
    pub(crate) fn shut_down(&self) -> bool {
        let own = self.own.as_ref();
        own.is_some_and(|own| own.close(CloseReason::Shutdown))
    }

    /// Returns the event that tells a quiet client its place, if it has moved.
    pub(crate) fn place(&mut self) -> Option<Bytes> {
        self.subscription.as_mut()?.place()
    }

    pub(crate) fn start(&self) -> Option<EventId<'static>> {
        self.subscription.as_ref()?.start()
    }

    /// Returns the error that the target failed with, once the target has ended.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    /// Takes a chunk of the target. Returns whether the target has ended.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> bool {
        let (Some(own), None) = (&mut self.own, &self.held) else {
            return false;
        };
        match Pin::new(own).poll_next(cx) {
            Poll::Ready(Some(chunk)) => {
                // Read after the chunk was taken, so it counts all frames published before the
                // chunk's dispatches.
                let subscription = self.subscription.as_ref();
                let head = subscription.map_or(0, |one| one.shared().lock().log.head());
                self.held = Some((chunk, head));
                false
            }
            Poll::Ready(None) => true,
            Poll::Pending => false,
        }
    }

    /// Drops the held chunk if the target's queue was dropped, because the chunk belongs to it.
    fn drop_held_if_cut(&mut self) {
        if self.held.is_some() && self.own.as_ref().is_some_and(EventStream::is_cut) {
            self.held = None;
        }
    }

    /// Notes which frames of the broadcast are still delivered after the end of the target.
    fn own_ended(&mut self) {
        let own = self.own.take();
        self.failure = own.as_ref().and_then(EventStream::failure);
        self.rest = match (&self.subscription, &own) {
            (Some(subscription), Some(own)) if !own.is_cut() => {
                let hub = subscription.shared().lock();
                // A shutdown has its own farewell, so the broadcast's is not sent.
                let is_shutdown = own.close_reason() == Some(CloseReason::Shutdown);
                if hub.is_closed && !is_shutdown {
                    Rest::All
                } else {
                    Rest::Before(hub.log.head())
                }
            }
            _ => {
                let reason = own.as_ref().and_then(EventStream::close_reason);
                if reason != Some(CloseReason::SentAway) {
                    self.farewell = None;
                }
                Rest::None
            }
        };
        // Its drop may run user code, so it comes last.
        drop(own);
    }

    /// Returns whether no frame with a number below this one is to come.
    fn has_passed(&self, number: u64) -> bool {
        let subscription = self.subscription.as_ref();
        let open = subscription.filter(|one| one.close_reason().is_none());
        open.is_none_or(|one| one.has_passed(number))
    }

    /// Returns whether the target has ended and no frame is to come.
    fn has_ended(&self) -> bool {
        self.own.is_none()
            && match self.rest {
                Rest::None => true,
                Rest::Before(number) => self.has_passed(number),
                Rest::All => {
                    let subscription = self.subscription.as_ref();
                    subscription.is_none_or(FusedStream::is_terminated)
                }
            }
    }

    /// Returns the chunk that is held, if no frame is to come before it.
    fn release(&mut self) -> Option<Bytes> {
        let (_, first) = self.held.as_ref()?;
        if !self.has_passed(*first) {
            return None;
        }
        self.held.take().map(|(chunk, _)| chunk)
    }

    /// Ends the target along with the subscription.
    fn end_own(&mut self, reason: CloseReason) {
        if !reason.delivers_queue() {
            // Also if the target was closed before: frames that come before this chunk are lost.
            self.held = None;
        }
        if let Some(own) = &self.own {
            own.close(reason);
        }
    }
}

impl<S: Sharing> Stream for Merged<S> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        loop {
            this.drop_held_if_cut();
            if this.poll_own(cx) {
                this.own_ended();
            }
            if let Some(chunk) = this.release() {
                return Poll::Ready(Some(chunk));
            }
            if this.has_ended() {
                this.subscription = None;
                return Poll::Ready(this.farewell.take());
            }
            let Some(subscription) = &mut this.subscription else {
                return Poll::Pending;
            };
            if subscription.is_terminated() {
                // Only the rest of the target's events is to come.
                return Poll::Pending;
            }
            match Pin::new(&mut *subscription).poll_next(cx) {
                Poll::Ready(chunk) => match subscription.close_reason() {
                    None => return Poll::Ready(chunk),
                    Some(reason) => {
                        this.farewell = chunk;
                        this.end_own(reason);
                    }
                },
                Poll::Pending => {
                    if let Some(chunk) = this.release() {
                        return Poll::Ready(Some(chunk));
                    }
                    if !this.has_ended() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<S: Sharing> fmt::Debug for Merged<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merged")
            .field("subscription", &self.subscription)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}
