//! Why a subscription ends.

/// Why a [`Subscription`](crate::Subscription) has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionEnd {
    /// The broadcast was closed, and all was delivered.
    Closed,
    /// It lagged: its next frame was not retained any more.
    Lagged,
    /// [`until`](crate::adapt::EventStreamExt::until) ended it, and all that was published by then
    /// was delivered.
    Shutdown,
}
