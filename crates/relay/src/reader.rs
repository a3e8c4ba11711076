//! The one reader of a node: it seeds the local log, follows the engine's, and proves that both are
//! one.

use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout};

use crate::engine::{Anchor, Batch, Engine, Follower, Page, PageLimit};
use crate::entry::{Form, Line, Record};
use crate::history::origin;
use crate::id::{Id, Place};
use crate::metrics::Counts;
use crate::options::Rule;
use crate::random::random;
use crate::relay::Inner;

/// How long the reader waits for entries. Each answer, with entries or without, proves that the last
/// entry is still there, and so bounds the time for which a client with an unknown id waits.
const IDLE: Duration = Duration::from_millis(250);

/// The time after which the reader also checks what the stream is, and whether it speaks to what
/// serves writes.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// The time for an answer, besides the time that was to be waited.
const GRACE: Duration = Duration::from_secs(2);

/// The pause after the first failure; it doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

const LIMIT: PageLimit = PageLimit {
    records: 1000,
    bytes: 1 << 20,
};

pub(crate) struct Reader<E: Engine> {
    inner: Arc<Inner<E>>,
    /// The ids of the local log, in order; those of dropped frames may be among the oldest.
    ids: VecDeque<Id>,
    /// The id after which the local log begins.
    origin: Id,
    mark: Box<str>,
    checked: Instant,
}

/// Why the reader needs another follower.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    Engine(E),
    /// No answer in time.
    Late,
    /// The log has changed while it was read backwards, or its records were out of order.
    Moved,
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Late => f.write_str("the engine did not answer in time"),
            Self::Moved => f.write_str("the log changed while it was read"),
        }
    }
}

type Result<T, E> = core::result::Result<T, Failure<<E as Engine>::Error>>;

impl<E: Engine> Reader<E> {
    /// Reads the newest entries into the local log.
    pub(crate) async fn open(inner: Arc<Inner<E>>) -> Result<(Self, E::Follower), E> {
        let mut follower = in_time(GRACE, inner.engine.follow()).await?;
        let mut reader = Self {
            inner,
            ids: VecDeque::new(),
            origin: origin("", Place::START),
            mark: "".into(),
            checked: Instant::now(),
        };
        reader.seed(&mut follower).await?;
        Ok((reader, follower))
    }

    /// Follows the log for ever.
    pub(crate) async fn run(mut self, follower: E::Follower) {
        let mut follower = Some(follower);
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            if let Some(mut follower) = follower.take() {
                let Err(_) = self.follow(&mut follower).await;
                Counts::add(&self.inner.counts.reconnections);
            }
            pause = match begun.elapsed() > CHECK_EVERY {
                true => FIRST_PAUSE,
                false => (pause * 2).min(CHECK_EVERY / 2),
            };
            // Jitter, so that the nodes do not come back to the engine all at once.
            sleep(pause.mul_f64(0.5 + random() as f64 / u64::MAX as f64 / 2.0)).await;
            follower = in_time(GRACE, self.inner.engine.follow()).await.ok();
        }
    }

    async fn follow(
        &mut self,
        follower: &mut E::Follower,
    ) -> core::result::Result<core::convert::Infallible, Failure<E::Error>> {
        self.check(follower).await?;
        loop {
            let after = self.head().place;
            let batch = in_time(IDLE + GRACE, follower.next(after, IDLE)).await?;
            if !self.is_anchored(&batch) {
                self.check(follower).await?;
                continue;
            }
            self.enter(&batch.records)?;
            if self.checked.elapsed() >= CHECK_EVERY {
                self.check(follower).await?;
            } else {
                self.inner.prove();
            }
        }
    }

    /// Returns whether nothing is missing between the head and a batch, and the head is there.
    fn is_anchored(&self, batch: &Batch) -> bool {
        let options = &self.inner.options;
        match &batch.anchor {
            Anchor::Unbroken => true,
            _ if options.breaks(Rule::CheckAfterBatch) => true,
            Anchor::Record(record) => record.as_ref().is_some_and(|one| self.is_head(one)),
        }
    }

    /// Reads from the head on and including it, which proves that the local log is the engine's. If
    /// it is not, drops what the engine has lost.
    async fn check(&mut self, follower: &mut E::Follower) -> Result<(), E> {
        let from = self.head().place;
        let page = in_time(GRACE, follower.read(from, LIMIT)).await?;
        if !self.proves(&page) {
            return self.resync(follower).await;
        }
        if E::order(page.facts.deleted) > E::order(from) {
            // Something was removed that this node has not read.
            Counts::add(&self.inner.counts.resets);
            return self.seed(follower).await;
        }
        let at = usize::from(page.records.first().is_some_and(|one| one.place == from));
        self.enter(&page.records[at..])?;
        self.inner.begins(&page.facts);
        self.inner.history.drop_old();
        self.checked = Instant::now();
        self.inner.prove();
        Ok(())
    }

    fn proves(&self, page: &Page) -> bool {
        let (facts, head) = (&page.facts, self.head());
        // The log of an engine that is behind would be silent without an error.
        if facts.mark != self.mark || E::order(facts.last) < E::order(head.place) {
            return false;
        }
        if page.records.first().is_some_and(|one| self.is_head(one)) {
            return true;
        }
        // The head of an empty log may be no entry, but a place of this stream.
        let is_whole = facts.is_whole && head.place == Place::START;
        head == origin(&facts.mark, head.place) && (is_whole || facts.last == head.place)
    }

    fn is_head(&self, record: &Record) -> bool {
        let head = self.head();
        record.id() == head || (self.inner.options.breaks(Rule::Tag) && record.place == head.place)
    }

    /// Finds the newest entry that both logs have, and drops those after it. If there is none,
    /// begins anew.
    async fn resync(&mut self, follower: &mut E::Follower) -> Result<(), E> {
        let mut from = None;
        loop {
            let page = in_time(GRACE, follower.read_back(from, LIMIT)).await?;
            if page.facts.mark != self.mark {
                break;
            }
            if let Some(at) = page.records.iter().find_map(|one| self.position(one)) {
                return self.rewind(at, follower).await;
            }
            let oldest = page.records.last().map(|record| record.place);
            let is_below = |place| {
                self.ids
                    .front()
                    .is_none_or(|id| E::order(place) < E::order(id.place))
            };
            if oldest == from || oldest.is_none_or(is_below) {
                break;
            }
            from = oldest;
        }
        Counts::add(&self.inner.counts.resets);
        self.seed(follower).await
    }

    /// Returns where a record is in the local log.
    fn position(&self, record: &Record) -> Option<usize> {
        let order = E::order(record.place);
        let at = self.ids.partition_point(|id| E::order(id.place) < order);
        let id = self.ids.get(at).filter(|id| id.place == record.place)?;
        (self.inner.options.breaks(Rule::Tag) || *id == record.id()).then_some(at)
    }

    async fn rewind(&mut self, at: usize, follower: &mut E::Follower) -> Result<(), E> {
        self.inner.history.forget();
        self.inner.begins_anywhere();
        if at + 1 == self.ids.len() {
            // The head is there after all.
            return Ok(());
        }
        if !self.inner.broadcast.rewind(&self.ids[at].to_event_id()) {
            Counts::add(&self.inner.counts.resets);
            return self.seed(follower).await;
        }
        Counts::add(&self.inner.counts.rewinds);
        self.ids.truncate(at + 1);
        Ok(())
    }

    /// Begins the local log with the newest entries of the engine's.
    async fn seed(&mut self, follower: &mut E::Follower) -> Result<(), E> {
        let options = Arc::clone(&self.inner.options);
        let mut seed = Seed::default();
        let (mut from, mut mark) = (None, None);
        let (origin, facts) = loop {
            let page = in_time(GRACE, follower.read_back(from, LIMIT)).await?;
            let mut records = page.records.iter();
            let facts = page.facts;
            if let Some(oldest) = seed.oldest() {
                if mark.as_ref().is_some_and(|mark| *mark != facts.mark) {
                    return Err(Failure::Moved);
                }
                // The page begins with the oldest record of the page before.
                match records.next() {
                    Some(record) if record.id() == oldest => {}
                    // That one was trimmed meanwhile, and all before it.
                    None => break (seed.begin(&facts), facts),
                    Some(_) => return Err(Failure::Moved),
                }
            }
            mark = Some(facts.mark.clone());
            let deleted = E::order(facts.deleted);
            let stop = records.find_map(|record| match E::order(record.place) < deleted {
                // A client that stands before what was removed from the middle is told of a gap.
                true => Some(origin(&facts.mark, facts.deleted)),
                false => seed.add(record, &options),
            });
            if let Some(before) = stop {
                break (before, facts);
            }
            let oldest = page.records.last().map(|record| record.place);
            if oldest == from || oldest.is_none() {
                break (seed.begin(&facts), facts);
            }
            from = oldest;
        };
        if seed.is_cut {
            Counts::add(&self.inner.counts.seeds_cut);
        }
        if seed.is_unreadable {
            self.inner.cannot_read();
        }
        seed.lines.reverse();
        if !in_order::<E>(origin.place, seed.lines.iter().map(|line| line.id.place)) {
            return Err(Failure::Moved);
        }
        self.inner.begins(&facts);
        self.mark = facts.mark;
        self.begin(origin);
        self.publish(seed.lines);
        self.checked = Instant::now();
        self.inner.prove();
        Ok(())
    }

    /// Begins an empty local log after an id.
    fn begin(&mut self, origin: Id) {
        self.inner.history.forget();
        let reset = self.inner.broadcast.reset(Some(&origin.to_event_id()));
        debug_assert_eq!(reset, Ok(()));
        self.ids.clear();
        self.inner.begins_after(origin.place);
        self.origin = origin;
    }

    /// Enters records after the head.
    fn enter(&mut self, records: &[Record]) -> Result<(), E> {
        if !in_order::<E>(self.head().place, records.iter().map(|one| one.place)) {
            return Err(Failure::Moved);
        }
        let mut lines = Vec::with_capacity(records.len());
        for record in records {
            let line = Line::new(record, self.inner.options.max_bytes);
            if let Form::Unreadable = line.form {
                // All who stand before it lack it.
                self.publish(core::mem::take(&mut lines));
                self.begin(line.id);
                self.inner.cannot_read();
            } else {
                lines.push(line);
            }
        }
        self.publish(lines);
        Ok(())
    }

    fn publish(&mut self, lines: Vec<Line>) {
        let counts = &self.inner.counts;
        for line in &lines {
            Counts::add(&counts.entries);
            if let Form::Poison = line.form {
                Counts::add(&counts.poison);
            }
        }
        let all = lines.iter().filter_map(Line::publication);
        let answers = self.inner.broadcast.publish_all(all);
        debug_assert!(answers.iter().all(|answer| answer.is_ok()), "{answers:?}");
        self.ids.extend(lines.iter().map(|line| line.id));
        let over = self.ids.len().saturating_sub(self.inner.options.max_frames);
        self.ids.drain(..over);
    }

    fn head(&self) -> Id {
        self.ids.back().copied().unwrap_or(self.origin)
    }
}

/// The newest entries of the log, the newest first.
#[derive(Default)]
struct Seed {
    lines: Vec<Line>,
    len: usize,
    is_cut: bool,
    is_unreadable: bool,
}

impl Seed {
    /// Adds the next older record. Returns its id instead if the seed begins after it.
    fn add(&mut self, record: &Record, options: &crate::Options) -> Option<Id> {
        let line = Line::new(record, options.max_bytes);
        self.is_unreadable = matches!(line.form, Form::Unreadable);
        let newest = self
            .lines
            .first()
            .map_or(record.place.ms, |line| line.id.place.ms);
        let age = newest.saturating_sub(record.place.ms);
        let is_enough = self.lines.len() >= options.seed_entries
            && u128::from(age) >= options.seed_age.as_millis();
        self.is_cut = !is_enough
            && (self.len + line.len() > options.seed_bytes
                || self.lines.len() >= options.max_frames);
        if is_enough || self.is_cut || self.is_unreadable {
            return Some(line.id);
        }
        self.len += line.len();
        self.lines.push(line);
        None
    }

    fn oldest(&self) -> Option<Id> {
        self.lines.last().map(|line| line.id)
    }

    /// Returns the id of the place before the first entry of the log.
    fn begin(&self, facts: &crate::Facts) -> Id {
        let place = match self.oldest() {
            _ if facts.is_whole => Place::START,
            None => facts.last,
            Some(Id { place, .. }) if place.seq > 0 => Place::new(place.ms, place.seq - 1),
            Some(Id { place, .. }) => Place::new(place.ms.saturating_sub(1), u64::MAX),
        };
        origin(&facts.mark, place)
    }
}

/// Returns whether places are in order, and after one. An engine that breaks its contract must not let
/// the local log and what is known of it go apart.
pub(crate) fn in_order<E: Engine>(after: Place, places: impl IntoIterator<Item = Place>) -> bool {
    let all = core::iter::once(after).chain(places);
    all.map(E::order).is_sorted_by(|one, next| one < next)
}

/// Awaits an answer of the engine, for a time.
async fn in_time<T, R>(
    time: Duration,
    answer: impl Future<Output = core::result::Result<T, R>>,
) -> core::result::Result<T, Failure<R>> {
    match timeout(time, answer).await {
        Ok(answer) => answer.map_err(Failure::Engine),
        Err(_) => Err(Failure::Late),
    }
}
