//! What goes in and out of the model of a client: options, the answers of the fake server, what is told and why, as plain
//! values.

use sse_proto::client::{Loss, LossReason};

pub const SECOND: u128 = 1_000_000_000;

pub const FIRST: &str = "http://one.example/events";
/// Where the fake server's redirects lead, without the scheme: the same host and another one.
pub const EVENTS: &str = "one.example/events";
pub const MOVED: &str = "one.example/moved";
pub const OTHER: &str = "two.example/events";
pub const OTHER_MOVED: &str = "two.example/moved";

#[expect(clippy::struct_excessive_bools, reason = "options are a list of facts")]
/// The options, as plain numbers; times are nanoseconds.
#[derive(Clone, Debug)]
pub struct Plain {
    pub method: &'static str,
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
    /// Also an HTML page and an encoded stream are.
    pub retries_all: bool,
    /// An event or a new id forgives at once.
    pub forgives_at_events: bool,
    /// Whether the request may be sent again as it is; `None` leaves it to the method.
    pub repeats: Option<bool>,
    /// A GET resumes, once there is an id.
    pub resumes_with_get: bool,
    pub decodes_gzip: bool,
    pub comments: bool,
}

/// A response of the fake server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Stream,
    /// With a content encoding.
    Gzip,
    Html,
    Status(u16),
    /// 503 with a Retry-After in seconds.
    Busy(u8),
    /// The same as a date, with the date of the response.
    BusyUntil(u8),
    RedirectSame(u16),
    RedirectOther(u16),
    /// To another scheme on the same host and port.
    RedirectScheme(u16),
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
    Encoded,
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
        url: String,
        id: Option<String>,
        left_out: bool,
        credentials: bool,
        method: &'static str,
    },
    /// The shortest and the longest delay that it may have.
    Lost {
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

/// Why a connection is lost or a client closed, in the words of the model.
pub fn why(loss: &Loss) -> Why {
    match &loss.reason {
        LossReason::Rejected(_) | LossReason::TooManyRedirects(_) => Why::Rejected,
        LossReason::ContentEncoding => Why::Encoded,
        LossReason::EndOfStream if loss.is_interrupted => Why::Interrupted,
        LossReason::EndOfStream => Why::Ended,
        LossReason::IoError => Why::IoError,
        LossReason::ConnectTimeout => Why::ConnectTimeout,
        LossReason::IdleTimeout => Why::Idle,
        LossReason::NetworkLost => Why::NetworkLost,
        LossReason::Reconnect => Why::Reconnect,
        LossReason::Closed => Why::Here,
        LossReason::TooManyRetries => Why::Attempts,
        LossReason::TimeExhausted(_) => Why::Time,
        LossReason::NotRepeatable => Why::NotRepeatable,
        other => unreachable!("{other:?}"),
    }
}
