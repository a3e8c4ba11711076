//! Pages of the engine's log, for clients whose ids are older than the local log.

use core::future::Future;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::engine::{Engine, Facts, Page, PageLimit};
use crate::entry::{Form, Line};
use crate::id::{Id, Place, tag};
use crate::metrics::Counts;
use crate::options::{Options, Rule};
use crate::reader::in_order;

/// The bytes of the fields of a page.
const PAGE_LEN: usize = 512 * 1024;

/// The most reads at once.
const SLOTS: usize = 16;

/// A page serves clients for this long. What the engine loses within this time, a live client may
/// have received just as well.
const FRESH: Duration = Duration::from_secs(1);

/// The bytes that a line of a page takes, besides those of its frame.
const LINE_LEN: usize = 256;

/// The reads for clients that are told then, at once and in a second.
const TOLD_AT_ONCE: f64 = 1000.0;
const TOLD_PER_SECOND: f64 = 100.0;

/// What the engine says of an id.
pub(crate) enum Found {
    /// It is there, or nothing was ever removed. The lines after it begin at the index.
    Exact(Arc<Lines>, usize),
    /// Entries after it were, or may have been, removed.
    Gap,
    /// It is none of this log.
    Unknown,
}

/// The lines of a page, in order.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    /// The indexes of the frames for all, and of those of each topic.
    for_all: Vec<usize>,
    by_topic: HashMap<Box<str>, Vec<usize>>,
    /// Whether nothing is before the first line in the log, and nothing ever was.
    is_from_start: Option<Id>,
    read_at: Instant,
    /// The room that it takes in the memory of pages.
    _room: OwnedSemaphorePermit,
}

pub(crate) struct History<E> {
    engine: Arc<E>,
    slots: Semaphore,
    turns: Semaphore,
    /// The memory of pages, in KiB: of those in hand and of those that are being read.
    memory: Arc<Semaphore>,
    /// The most KiB that a page takes.
    most: u32,
    pages: Mutex<Pages>,
    budget: Mutex<(f64, Instant)>,
    counts: Arc<Counts>,
    options: Arc<Options>,
}

/// The newest pages last.
struct Pages {
    held: VecDeque<Arc<Lines>>,
    /// The reads that are on their way, by the order of their first places.
    being_read: Vec<(u128, watch::Sender<()>)>,
    /// How much of the order the last page had.
    span: u128,
    /// Grows with each `forget`, so that a page that was read before it is not kept.
    turn: u64,
}

/// The engine did not answer in time, or too much waits for it.
#[derive(Debug)]
pub(crate) struct TooBusy;

impl<E: Engine> History<E> {
    pub(crate) fn new(engine: &Arc<E>, counts: &Arc<Counts>, options: &Arc<Options>) -> Self {
        let most = kib(PAGE_LEN.max(2 * engine.max_entry_len()) + options.page_entries * LINE_LEN);
        let memory = kib(options.history_bytes).max(most);
        Self {
            engine: Arc::clone(engine),
            slots: Semaphore::new(SLOTS),
            turns: Semaphore::new(1),
            memory: Arc::new(Semaphore::new(memory as usize)),
            most,
            pages: Mutex::new(Pages {
                held: VecDeque::new(),
                being_read: Vec::new(),
                // The first read is waited for by all.
                span: u128::MAX,
                turn: 0,
            }),
            budget: Mutex::new((TOLD_AT_ONCE, Instant::now())),
            counts: Arc::clone(counts),
            options: Arc::clone(options),
        }
    }

    /// Finds an id in the log, and what follows it. Reads the engine unless a page in hand has it, or
    /// one that is being read is likely to have it.
    pub(crate) async fn find(&self, id: Id, deadline: Instant) -> Result<Found, TooBusy> {
        loop {
            if let Some(found) = self.in_hand(id) {
                return Ok(found);
            }
            if let Some(mut read) = self.being_read(id) {
                // An error: it is over.
                if let Ok(Ok(())) | Err(_) = timeout_at(deadline, read.changed()).await {
                    return Err(TooBusy);
                }
                continue;
            }
            // Above the budget those who ask take turns, in one of the slots.
            let _turn = match self.has_budget() {
                true => None,
                false => match timeout_at(deadline, self.turns.acquire()).await {
                    Ok(Ok(turn)) => Some(turn),
                    _ => return Err(TooBusy),
                },
            };
            let Ok(Ok(_slot)) = timeout_at(deadline, self.slots.acquire()).await else {
                return Err(TooBusy);
            };
            // Another client may have read it meanwhile.
            if let Some(found) = self.in_hand(id) {
                return Ok(found);
            }
            if self.being_read(id).is_none() {
                return self.read(id, deadline).await;
            }
        }
    }

    async fn read(&self, id: Id, deadline: Instant) -> Result<Found, TooBusy> {
        let _reading = Reading::begin(&self.pages, E::order(id.place));
        // Only those with a slot ask for room, so that the others leave the pages in hand alone.
        let room = Arc::clone(&self.memory).acquire_many_owned(self.most);
        let Ok(Ok(room)) = timeout_at(deadline, room).await else {
            return Err(TooBusy);
        };
        let turn = self.lock().turn;
        let limit = PageLimit {
            records: self.options.page_entries,
            bytes: PAGE_LEN,
        };
        let page = retry(deadline, || self.engine.read(id.place, limit)).await?;
        Counts::add(&self.counts.pages);
        let mut places = page.records.iter().map(|record| record.place);
        let first = places.next().unwrap_or(id.place);
        if E::order(first) < E::order(id.place) || !in_order::<E>(first, places) {
            return Err(TooBusy);
        }
        Ok(match self.decide(&page, id) {
            Decision::Exact => {
                let lines = Arc::new(self.lines(page, room));
                self.keep(&lines, turn);
                let at = lines.after(id);
                Found::Exact(lines, at)
            }
            Decision::Gap => {
                self.spend();
                Found::Gap
            }
            Decision::Unknown => {
                self.spend();
                Found::Unknown
            }
        })
    }

    /// Returns what ends with a read that is likely to have an id.
    fn being_read(&self, id: Id) -> Option<watch::Receiver<()>> {
        let (order, pages) = (E::order(id.place), self.lock());
        let has = |from: u128| from <= order && order - from <= pages.span;
        let read = pages.being_read.iter().find(|(from, _)| has(*from));
        read.map(|(_, read)| read.subscribe())
    }

    /// Forgets the pages in hand, because the log has lost entries.
    pub(crate) fn forget(&self) {
        let mut pages = self.lock();
        pages.turn += 1;
        pages.held.clear();
    }

    fn decide(&self, page: &Page, id: Id) -> Decision {
        if self.options.breaks(Rule::InclusiveRead) {
            return Decision::Exact;
        }
        decide::<E>(page, id, self.options.breaks(Rule::Tag))
    }

    fn in_hand(&self, id: Id) -> Option<Found> {
        let pages = self.lock();
        let fresh = pages.held.iter().rev();
        let mut fresh = fresh.take_while(|page| page.is_fresh());
        let (page, at) = fresh.find_map(|page| Some((page, page.position::<E>(id)?)))?;
        Counts::add(&self.counts.shared_pages);
        Some(Found::Exact(Arc::clone(page), at))
    }

    fn lines(&self, page: Page, mut room: OwnedSemaphorePermit) -> Lines {
        let read = |record| Line::new(record, self.options.max_bytes);
        let mut lines: Vec<_> = page.records.iter().map(read).collect();
        // On the wire data may be much longer than in a record. Two lines are needed to go on.
        let mut left = room.num_permits() * 1024;
        let fits = lines.iter().map_while(|line| {
            left = left.checked_sub(line.len() + LINE_LEN)?;
            Some(())
        });
        lines.truncate(fits.count().max(2));
        let start = origin(&page.facts.mark, Place::START);
        let (mut for_all, mut by_topic) = (Vec::new(), HashMap::<_, Vec<_>>::new());
        for (at, line) in lines.iter().enumerate() {
            match &line.form {
                Form::Frame(_, None) => for_all.push(at),
                Form::Frame(_, Some(topic)) => by_topic.entry(topic.clone()).or_default().push(at),
                Form::Poison | Form::Unreadable => {}
            }
        }
        let taken = kib(lines.iter().map(|line| line.len() + LINE_LEN).sum());
        drop(room.split(room.num_permits().saturating_sub(taken as usize)));
        Lines {
            is_from_start: (page.facts.is_whole && page.facts.first == first_of(&lines))
                .then_some(start),
            lines,
            for_all,
            by_topic,
            read_at: Instant::now(),
            _room: room,
        }
    }

    /// Keeps a page for other clients, unless its memory is needed for the next read.
    fn keep(&self, page: &Arc<Lines>, turn: u64) {
        let mut pages = self.lock();
        if let [first, .., last] = &page.lines[..] {
            let order = |line: &Line| E::order(line.id.place);
            pages.span = order(last) - order(first);
        }
        if pages.turn == turn {
            pages.held.push_back(Arc::clone(page));
        }
        let is_short = || self.memory.available_permits() < self.most as usize;
        while is_short() && pages.held.pop_front().is_some() {}
    }

    /// Drops the pages that are too old to serve anybody.
    pub(crate) fn drop_old(&self) {
        self.lock().held.retain(|page| page.is_fresh());
    }

    fn has_budget(&self) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = budget.1.elapsed().as_secs_f64() * TOLD_PER_SECOND;
        *budget = ((budget.0 + gained).min(TOLD_AT_ONCE), Instant::now());
        budget.0 >= 1.0
    }

    fn spend(&self) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.0 = (budget.0 - 1.0).max(0.0);
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        lock(&self.pages)
    }
}

fn lock(pages: &Mutex<Pages>) -> MutexGuard<'_, Pages> {
    pages.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A read that is on its way. Wakes those who wait for it when it is dropped.
struct Reading<'a>(&'a Mutex<Pages>, u128);

impl<'a> Reading<'a> {
    fn begin(pages: &'a Mutex<Pages>, from: u128) -> Self {
        lock(pages).being_read.push((from, watch::Sender::new(())));
        Self(pages, from)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut pages = lock(self.0);
        let at = pages
            .being_read
            .iter()
            .position(|(from, _)| *from == self.1);
        let ended = at.map(|at| pages.being_read.swap_remove(at));
        drop(pages);
        // Without the lock, since it wakes.
        drop(ended);
    }
}

impl Lines {
    fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < FRESH
    }

    /// Returns the index of the first line after an id of this page.
    fn after(&self, id: Id) -> usize {
        usize::from(
            self.lines
                .first()
                .is_some_and(|line| line.id.place == id.place),
        )
    }

    /// Returns whether a page in hand has more for a client. That nothing more can be read may have
    /// changed, and only a new page can tell a client so.
    fn has_readable(&self, at: usize) -> bool {
        at < self.lines.len() && !self.is_unreadable(at)
    }

    /// Returns the lines from one on, as far as this node can read them.
    pub(crate) fn readable(&self, at: usize) -> &[Line] {
        let lines = self.lines.get(at..).unwrap_or_default();
        let is_unreadable = |line: &Line| matches!(line.form, Form::Unreadable);
        &lines[..lines.iter().position(is_unreadable).unwrap_or(lines.len())]
    }

    /// Returns the lines from one on that are for all or of some topics, in order: each as the number
    /// of lines before it.
    pub(crate) fn frames(&self, at: usize, topics: &[Arc<str>]) -> Vec<usize> {
        let chains = topics
            .iter()
            .filter_map(|topic| self.by_topic.get(&**topic));
        let chains = chains.chain([&self.for_all]);
        let after = |chain: &Vec<usize>| chain.partition_point(|one| *one < at);
        let frames = chains.flat_map(|chain| &chain[after(chain)..]);
        let mut frames: Vec<_> = frames.map(|one| one - at).collect();
        frames.sort_unstable();
        frames
    }

    /// Returns whether this node cannot read the line at an index.
    pub(crate) fn is_unreadable(&self, at: usize) -> bool {
        let line = self.lines.get(at);
        line.is_some_and(|line| matches!(line.form, Form::Unreadable))
    }

    /// Returns the index of the first line after an id, if both are in this page.
    fn position<E: Engine>(&self, id: Id) -> Option<usize> {
        if self.is_from_start == Some(id) {
            return Some(0).filter(|at| self.has_readable(*at));
        }
        let order = E::order(id.place);
        let at = self
            .lines
            .partition_point(|line| E::order(line.id.place) < order);
        let is_there = self.lines.get(at).is_some_and(|line| line.id == id);
        (is_there && self.has_readable(at + 1)).then_some(at + 1)
    }
}

fn first_of(lines: &[Line]) -> Option<Place> {
    lines.first().map(|line| line.id.place)
}

/// Returns how many KiB bytes take.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Decision {
    Exact,
    Gap,
    Unknown,
}

/// Decides what an id is, given the page that begins at its place.
fn decide<E: Engine>(page: &Page, id: Id, ignores_tag: bool) -> Decision {
    let Facts {
        mark,
        first,
        last,
        is_whole,
        deleted,
    } = &page.facts;
    let order = E::order(id.place);
    if let Some(record) = page.records.first().filter(|one| one.place == id.place) {
        return match record.id() == id || ignores_tag {
            false => Decision::Unknown,
            true if E::order(*deleted) > order => Decision::Gap,
            true => Decision::Exact,
        };
    }
    // Only a relay of this very stream has given it out.
    if *is_whole && id == origin(mark, Place::START) {
        return Decision::Exact;
    }
    let is_below = match first {
        Some(first) => order < E::order(*first),
        None => order <= E::order(*last),
    };
    match is_below || E::order(*deleted) >= order {
        true => Decision::Gap,
        false => Decision::Unknown,
    }
}

/// Returns the id of a place without an entry, from which a relay of this stream begins.
pub(crate) fn origin(mark: &str, place: Place) -> Id {
    Id {
        place,
        tag: tag([(&b"origin"[..], mark.as_bytes())]),
    }
}

/// Asks the engine until it answers.
async fn retry<T, R, F>(deadline: Instant, mut ask: impl FnMut() -> F) -> Result<T, TooBusy>
where
    F: Future<Output = Result<T, R>>,
{
    loop {
        match timeout_at(deadline, ask()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(_)) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            _ => return Err(TooBusy),
        }
    }
}
