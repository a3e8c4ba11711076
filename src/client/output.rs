//! What a client says and asks for.

use core::time::Duration;

use super::reason::{ClosedReason, DownReason};
use super::request::Request;

/// What an [`EventSource`](super::EventSource) wants of its driver, and what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send this request; nothing else is open now.
    Request(Request),
    /// Drop the request that is under way, its response and its body: nothing of it is wanted any more.
    Abort,
    /// The stream is open: the standard's `open` event.
    Opened,
    /// The connection is lost, and another one follows: the standard's `error` event.
    Down(Down),
    /// It has ended for good. The last output.
    Closed(Closed),
}

/// A connection, or the attempt at one, is lost; another follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Down {
    /// Why.
    pub reason: DownReason,
    /// A block was begun and is discarded, whatever the reason: what was being told is cut off.
    pub is_interrupted: bool,
    /// How long until the next request; `None` while there is no network.
    pub retry_in: Option<Duration>,
    /// How many connections were lost in a row, with this one. The next request has the same number. The loss of the network
    /// is no failure and adds none; a [reconnect](super::EventSource::reconnect) begins at 0.
    pub attempt: u32,
}

/// The client has ended for good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Why.
    pub reason: ClosedReason,
    /// A block was begun and is discarded.
    pub is_interrupted: bool,
}

/// Outputs that nobody has polled yet: one of each at most, in the order of their fields.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each may be there or not, whatever the others are"
)]
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    pub(super) opened: bool,
    pub(super) abort: bool,
    pub(super) down: Option<Down>,
    pub(super) request: bool,
    pub(super) closed: bool,
}
