//! One subscriber of a play, and what its client knows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use sse_proto::Subscription;
use sse_proto::broadcast::{Handle, Held};
use sse_proto::target::CloseReason;

use crate::support::broadcast_model::Topics;
use crate::support::fakes::Wakes;

pub(super) enum Body {
    Live(Subscription),
    Held(Held),
}

#[expect(clippy::struct_excessive_bools, reason = "each is seen by itself")]
pub(super) struct Reader {
    pub(super) kind: u8,
    pub(super) body: Body,
    pub(super) handle: Handle,
    pub(super) topics: Topics,
    /// The keys of the heads at which topics were added, once it was held; `None` before the first id.
    pub(super) added: BTreeMap<String, Option<u128>>,
    /// The numbers of the frames of its topics that it has not read, also those that it does not take.
    pub(super) owed: VecDeque<u64>,
    /// What comes first.
    pub(super) tells: Option<String>,
    /// The number after that of the last frame that it was given, or that its place is after.
    pub(super) place: u64,
    pub(super) last_id: Option<String>,
    /// The numbers of the frames that came.
    pub(super) seen: BTreeSet<u64>,
    pub(super) wakes: Arc<Wakes>,
    pub(super) pending: bool,
    pub(super) woken: bool,
    /// It is to end with this at its next poll.
    pub(super) detached: Option<CloseReason>,
    pub(super) farewell: bool,
    pub(super) end: Option<CloseReason>,
    /// It was held once.
    pub(super) has_pages: bool,
}

impl Reader {
    pub(super) fn new(
        kind: u8,
        body: Body,
        topics: Topics,
        owed: Vec<u64>,
        tells: Option<String>,
        place: u64,
    ) -> Self {
        let handle = match &body {
            Body::Live(subscription) => subscription.handle(),
            Body::Held(held) => held.handle(),
        };
        Self {
            kind,
            has_pages: matches!(body, Body::Held(_)),
            body,
            handle,
            topics,
            added: BTreeMap::new(),
            owed: owed.into(),
            tells,
            place,
            last_id: None,
            seen: BTreeSet::new(),
            wakes: Wakes::new(),
            pending: false,
            woken: false,
            detached: None,
            farewell: false,
            end: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.end.is_none() && matches!(self.body, Body::Live(_))
    }

    /// Returns whether the broadcast counts it: one that lagged and can be held again is counted.
    pub(super) fn is_counted(&self) -> bool {
        let is_there =
            self.end.is_none() || self.end == Some(CloseReason::Overflow) && self.has_pages;
        is_there && self.detached.is_none()
    }

    pub(super) fn is_held(&self) -> bool {
        matches!(self.body, Body::Held(_)) || self.end.is_some()
    }

    /// Returns whether it gets a frame that is published now.
    pub(super) fn gets(&self, topic: Option<&str>) -> bool {
        let has = topic.is_none_or(|topic| self.topics.contains_key(topic));
        self.is_counted() && !self.is_held() && has
    }

    pub(super) fn detach(&mut self, reason: CloseReason, farewell: bool) {
        self.detached = Some(reason);
        self.farewell = farewell;
        self.tells = None;
        self.owed.clear();
    }

    /// Another task polls from now on.
    pub(super) fn move_on(&mut self) {
        self.wakes = Wakes::new();
        self.pending = false;
    }
}
