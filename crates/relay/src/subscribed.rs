//! Where a client begins.

use sse_proto::Event;
use sse_proto::broadcast;

use crate::body::{Body, Live};
use crate::options::Rule;

/// Where a client begins. Returned by [`Relay::subscribe`](crate::Relay::subscribe).
///
/// `match` it, or choose with [`or_live`](Self::or_live) and [`or_oldest`](Self::or_oldest), which
/// tell a client that cannot be resumed.
#[derive(Debug)]
#[must_use = "a stream that is dropped ends"]
pub enum Subscribed {
    /// The client has no last event ID. It begins with the next entry.
    Live(Body),
    /// The client receives all entries after its id.
    Resumed(Body),
    /// Entries after the id were removed, or may have been.
    Gap(Restart),
    /// The id is none of the log as it is now.
    Unknown(Restart),
}

impl Subscribed {
    /// Starts a client that cannot be resumed with the next entry, and tells it.
    pub fn or_live(self, tells: &Event<'_>) -> Body {
        self.or(|restart| restart.live(tells))
    }

    /// Starts a client that cannot be resumed with the oldest entry of the local log, and tells it.
    pub fn or_oldest(self, tells: &Event<'_>) -> Body {
        self.or(|restart| restart.oldest(tells))
    }

    fn or(self, begin: impl FnOnce(Restart) -> Body) -> Body {
        match self {
            Self::Live(body) | Self::Resumed(body) => body,
            Self::Gap(restart) | Self::Unknown(restart) => begin(restart),
        }
    }
}

/// A client that cannot be resumed.
///
/// The event that tells it comes first, in one block with the id of the place where the client goes
/// on. So a client whose connection is cut before the end of that block is told again.
#[derive(Debug)]
#[must_use = "a stream that is dropped ends"]
pub struct Restart {
    restart: broadcast::Restart,
    live: Live,
}

impl Restart {
    pub(crate) fn new(restart: broadcast::Restart, live: Live) -> Self {
        Self { restart, live }
    }

    /// Begins with the next entry.
    pub fn live(self, tells: &Event<'_>) -> Body {
        if self.live.options.breaks(Rule::TellBeforeId) {
            return self.tell_after(tells);
        }
        Body::live(self.restart.live(tells), self.live)
    }

    /// Begins with the oldest entry of the local log. The client may receive entries a second time.
    pub fn oldest(self, tells: &Event<'_>) -> Body {
        Body::live(self.restart.oldest(tells), self.live)
    }

    /// Breaks the rule that the id does not come before the telling.
    fn tell_after(self, tells: &Event<'_>) -> Body {
        let subscription = broadcast::Subscribed::Gap(self.restart).or_live_untold();
        let place = subscription.last_event_id();
        let place = place.map(|id| Event::message("").with_id(id).to_bytes());
        let mut body = Body::live(subscription, self.live);
        body.first = place.into_iter().chain([tells.to_bytes()]).collect();
        body
    }
}
