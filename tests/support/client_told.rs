//! What goes in and out of the model of a client: options, the answers of the fake server, what is told and why, as plain
//! values.

use sse_proto::client::{ClosedReason, DownReason};

pub const SECOND: u128 = 1_000_000_000;

pub const FIRST: &str = "http://one.example/events";
/// Where the fake server's redirects lead: the same origin and another one.
pub const SAME: &str = "http://one.example/moved";
pub const OTHER: &str = "http://two.example/events";
pub const OTHER_MOVED: &str = "http://two.example/moved";

/// The options, as plain numbers; times are nanoseconds.
#[derive(Clone, Debug)]
pub struct Plain {
    pub base: u128,
    pub most_backoff: Option<u128>,
    pub shortest: u128,
    pub longest: u128,
    pub jitter: u128,
    pub connect: Option<u128>,
    pub idle: Option<u128>,
    pub stable: u128,
    pub elapsed: Option<u128>,
    pub retries: Option<u32>,
    pub redirects: u8,
    pub retries_statuses: bool,
    pub needs_id: bool,
    pub comments: bool,
}

/// A response of the fake server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Stream,
    Html,
    Status(u16),
    /// 503 with a Retry-After in seconds.
    Busy(u8),
    RedirectSame(u16),
    RedirectOther(u16),
    /// A redirect to `moved` from where the HTTP client came to by itself: the same or another origin.
    RedirectArrived {
        same: bool,
    },
    /// Without a `Location`.
    RedirectNowhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Here,
    Rejected,
    Ended,
    Interrupted,
    IoError,
    ConnectTimeout,
    Idle,
    NetworkLost,
    Reconnect,
    Attempts,
    Time,
    NotRepeatable,
}

/// An output as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Opened,
    Abort,
    Request {
        url: &'static str,
        id: Option<String>,
        left_out: bool,
        attempt: u32,
        credentials: bool,
        get: bool,
    },
    /// The shortest and the longest delay that it may have.
    Down {
        why: Why,
        interrupted: bool,
        delay: Option<(u128, u128)>,
        attempt: u32,
    },
    Closed {
        why: Why,
        interrupted: bool,
    },
}

pub fn why_down(reason: &DownReason) -> Why {
    match reason {
        DownReason::Rejected(_) => Why::Rejected,
        DownReason::Ended => Why::Ended,
        DownReason::Interrupted => Why::Interrupted,
        DownReason::IoError => Why::IoError,
        DownReason::ConnectTimeout => Why::ConnectTimeout,
        DownReason::Idle => Why::Idle,
        DownReason::NetworkLost => Why::NetworkLost,
        DownReason::Reconnect => Why::Reconnect,
        other => unreachable!("{other:?}"),
    }
}

pub fn why_closed(reason: &ClosedReason) -> Why {
    match reason {
        ClosedReason::Here => Why::Here,
        ClosedReason::Rejected(_) => Why::Rejected,
        ClosedReason::AttemptsExhausted { .. } => Why::Attempts,
        ClosedReason::TimeExhausted { .. } => Why::Time,
        ClosedReason::NotRepeatable(_) => Why::NotRepeatable,
        other => unreachable!("{other:?}"),
    }
}
