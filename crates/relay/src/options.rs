//! The options of a relay.

use core::time::Duration;

use sse_proto::EventType;
use sse_proto::adapt::KEEP_ALIVE_INTERVAL;

/// Sets how much of the log a relay keeps in memory, and how long it waits for the engine.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) max_frames: usize,
    pub(crate) max_bytes: usize,
    pub(crate) seed_bytes: usize,
    pub(crate) history_bytes: usize,
    pub(crate) keep_alive: Duration,
    pub(crate) stale_after: Duration,
    pub(crate) when_stale: WhenStale,
    pub(crate) patience: Duration,
    pub(crate) place: (EventType<'static>, Box<str>),
    pub(crate) seed_entries: usize,
    pub(crate) seed_age: Duration,
    pub(crate) page_entries: usize,
    #[cfg(feature = "testing")]
    pub(crate) broken: Option<Rule>,
}

/// The fewest entries that a relay reads before it serves anybody, if the log has them; besides
/// these, those of the last 60 s before the last one.
const SEED_ENTRIES: usize = 1000;

/// A time without end, which can still be added to a moment.
const ENDLESS: Duration = Duration::from_secs(1 << 32);

/// Returns a time, or one without end if it is longer.
pub(crate) const fn capped(time: Duration) -> Duration {
    match time.as_secs() < ENDLESS.as_secs() {
        true => time,
        false => ENDLESS,
    }
}

/// The longest silence: half of the age of a seed, and a second for the way.
const KEEP_ALIVE_BELOW: Duration = Duration::from_secs(29);

impl Options {
    /// Keeps 131 072 frames and 64 MiB.
    pub fn new() -> Self {
        Self {
            max_frames: 1 << 17,
            max_bytes: 64 << 20,
            seed_bytes: 32 << 20,
            history_bytes: 48 << 20,
            keep_alive: KEEP_ALIVE_INTERVAL,
            stale_after: Duration::from_secs(5),
            when_stale: WhenStale::Tell(EventType::from_static("stale"), "".into()),
            patience: Duration::from_secs(5),
            place: (EventType::from_static("place"), "".into()),
            seed_entries: SEED_ENTRIES,
            seed_age: Duration::from_secs(60),
            page_entries: 1000,
            #[cfg(feature = "testing")]
            broken: None,
        }
    }

    /// Sets how many frames the local log keeps, and how many bytes they have on the wire. At least
    /// 1000 frames, and half of the bytes are for the [seed](Self::with_seed_bytes).
    pub const fn with_retention(mut self, max_frames: usize, max_bytes: usize) -> Self {
        self.max_frames = max_frames;
        self.max_bytes = max_bytes;
        self.seed_bytes = max_bytes / 2;
        self
    }

    /// Sets how many bytes of frames a relay reads before it serves anybody, at most: half of the
    /// retention by default. `open` refuses more than the retention.
    pub const fn with_seed_bytes(mut self, seed_bytes: usize) -> Self {
        self.seed_bytes = seed_bytes;
        self
    }

    /// Sets how many bytes of pages of history are held at once, those that are being read among them:
    /// 48 MiB by default, and at least one page. Above it clients wait for each other, at most for the
    /// [patience](Self::with_patience).
    pub const fn with_history_bytes(mut self, history_bytes: usize) -> Self {
        self.history_bytes = history_bytes;
        self
    }

    /// Sets the silence after which a client gets a comment, or the id of its place if that has
    /// moved: 15 s by default, and 29 s at most. That is less than half of what another node has
    /// read before it serves anybody, so that a client that comes back to it needs no page of history.
    pub const fn with_keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = match interval.as_secs() < KEEP_ALIVE_BELOW.as_secs() {
            true => interval,
            false => KEEP_ALIVE_BELOW,
        };
        self
    }

    /// Sets how long a relay is ready without a proof that its log is the engine's: 5 s by default.
    /// After that it is stale.
    pub const fn with_stale_after(mut self, stale_after: Duration) -> Self {
        self.stale_after = capped(stale_after);
        self
    }

    /// Sets what becomes of the clients of a stale relay. By default they stay, and get an event of the
    /// type `stale`.
    pub fn with_when_stale(mut self, when_stale: WhenStale) -> Self {
        self.when_stale = when_stale;
        self
    }

    /// Sets how long a client waits for the engine or for the head of the log: 5 s by default.
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = capped(patience);
        self
    }

    /// Sets the type and the data of the event that carries the id of a place: `place`, and no data,
    /// by default.
    pub fn with_place(mut self, event_type: EventType<'_>, data: impl Into<Box<str>>) -> Self {
        self.place = (event_type.into_owned(), data.into());
        self
    }

    /// Makes the local log, its seed and the pages small, so that a test needs few entries.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn with_sizes(mut self, frames: usize, seed: usize, page: usize) -> Self {
        (self.max_frames, self.seed_entries, self.page_entries) = (frames, seed, page);
        self.seed_age = Duration::ZERO;
        self
    }

    /// Breaks a rule.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn with_broken(mut self, rule: Option<Rule>) -> Self {
        self.broken = rule;
        self
    }

    /// Returns whether a rule is broken: only ever in tests.
    #[cfg(feature = "testing")]
    pub(crate) fn breaks(&self, rule: Rule) -> bool {
        self.broken == Some(rule)
    }

    #[cfg(not(feature = "testing"))]
    pub(crate) const fn breaks(&self, _: Rule) -> bool {
        false
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// What becomes of the clients of a relay that has no proof any more that its log is the engine's.
///
/// Either way nothing is lost: what the log has gained meanwhile comes when the engine is back.
#[derive(Clone, Debug)]
pub enum WhenStale {
    /// They stay. Each gets an event with this type and data, without an id, whenever the relay
    /// becomes stale, and first of all if it is stale already.
    Tell(EventType<'static>, Box<str>),
    /// Their streams end, each at a random moment within this time unless the relay is up to date
    /// again before, so that they come to other nodes in waves. Where all nodes are stale, they come
    /// back to the same ones.
    End(Duration),
}

/// A rule that the tests break, so that they show that they would see it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// A page begins at the id and includes it.
    InclusiveRead,
    /// An id is there only with its tag.
    Tag,
    /// A client is told in one block with the id where it goes on.
    TellBeforeId,
    /// A publication is tried again with its key.
    SameKey,
    /// After a batch the reader looks whether its last entry is still there.
    CheckAfterBatch,
    /// A client joins the local log once that has the last id of its pages.
    WaitForJoin,
    /// The topics decide in pages, too.
    TopicsInPages,
}
