//! An engine that is a `Vec`: it trims, loses entries as a failover does, lags, stops, and loses
//! replies.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sse_proto_relay::{
    Anchor, AppendError, Batch, Engine, Facts, Fields, Follower, Id, Page, PageLimit, Place,
    Record, Write,
};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

#[derive(Clone)]
pub(crate) struct VecEngine(Arc<Shared>);

struct Shared {
    world: Mutex<World>,
    written: Notify,
}

/// Every entry that was ever written, as a tree: where a failover lost entries, it branches.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) by_id: HashMap<Id, usize>,
    /// The last entry of the log, whether it was trimmed or not.
    pub(crate) head: Option<usize>,
    /// The entries that are there, in order.
    pub(crate) log: Vec<usize>,
    pub(crate) mark: u32,
    /// Grows when entries are lost or the stream is made again.
    pub(crate) losses: u32,
    pub(crate) is_down: bool,
    /// Grows when all connections are cut.
    pub(crate) cuts: u32,
    /// The number of replies that are lost after the write.
    pub(crate) lost_replies: u32,
    /// How long an answer of a read is on its way.
    pub(crate) lag: Duration,
    pub(crate) ms: u64,
    /// A reader gets at most this many records at once.
    pub(crate) batch: usize,
    /// This many entries are trimmed after each page that is read backwards.
    pub(crate) trims: usize,
    /// Each answer has its records in another order.
    pub(crate) shuffles: bool,
    /// Readers get no answer.
    pub(crate) holds_readers: bool,
    /// The reads of pages so far, those that are on their way, and the most of these at once.
    pub(crate) reads: usize,
    pub(crate) reading: usize,
    pub(crate) most_reading: usize,
    last: Place,
    is_whole: bool,
    keys: HashMap<String, Id>,
}

pub(crate) struct Node {
    pub(crate) record: Record,
    pub(crate) parent: Option<usize>,
    pub(crate) mark: u32,
    pub(crate) topic: Option<String>,
    pub(crate) data: Option<String>,
}

impl Node {
    pub(crate) fn is_readable(&self) -> bool {
        let version = self.record.fields.iter().find(|(name, _)| name == b"v");
        version.is_none_or(|(_, version)| version == b"1")
    }
}

#[derive(Debug)]
pub(crate) struct Down;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the engine is down")
    }
}

impl std::error::Error for Down {}

impl VecEngine {
    pub(crate) fn new() -> Self {
        let world = World {
            nodes: Vec::new(),
            by_id: HashMap::new(),
            head: None,
            log: Vec::new(),
            mark: 0,
            losses: 0,
            is_down: false,
            cuts: 0,
            lost_replies: 0,
            lag: Duration::ZERO,
            ms: 1,
            batch: 5,
            trims: 0,
            shuffles: false,
            holds_readers: false,
            reads: 0,
            reading: 0,
            most_reading: 0,
            last: Place::START,
            is_whole: true,
            keys: HashMap::new(),
        };
        Self(Arc::new(Shared {
            world: Mutex::new(world),
            written: Notify::new(),
        }))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap()
    }

    /// Writes fields that no publisher writes.
    pub(crate) fn write(&self, fields: Fields) -> Id {
        let place = self.world().write(fields);
        self.0.written.notify_waiters();
        let world = self.world();
        let at = world
            .nodes
            .iter()
            .rposition(|node| node.record.place == place);
        world.nodes[at.unwrap()].record.id()
    }

    fn up(&self) -> Result<MutexGuard<'_, World>, Down> {
        let world = self.world();
        if world.is_down { Err(Down) } else { Ok(world) }
    }

    fn lag(&self) -> Duration {
        self.world().lag
    }
}

impl World {
    fn write(&mut self, fields: Fields) -> Place {
        self.last = match self.ms > self.last.ms {
            true => Place::new(self.ms, 0),
            false => Place::new(self.last.ms, self.last.seq + 1),
        };
        let text = |name: &[u8]| {
            let found = fields.iter().find(|(one, _)| one == name);
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let node = Node {
            parent: self.head,
            mark: self.mark,
            topic: text(b"topic"),
            data: text(b"data"),
            record: Record {
                place: self.last,
                fields,
            },
        };
        let at = self.nodes.len();
        self.by_id.insert(node.record.id(), at);
        self.nodes.push(node);
        self.log.push(at);
        self.head = Some(at);
        self.last
    }

    /// Removes the oldest entries.
    pub(crate) fn trim(&mut self, most: usize) {
        let most = most.min(self.log.len());
        self.is_whole &= most == 0;
        self.log.drain(..most);
    }

    /// Goes over to a replica that has not got the last entries, and remembers their keys no more.
    /// If it still has some of those that were trimmed, connections are cut, so that this is seen.
    pub(crate) fn lose(&mut self, most: usize, untrimmed: usize) {
        self.losses += 1;
        self.cuts += u32::from(untrimmed > 0);
        for _ in 0..most {
            let Some(head) = self.head else { break };
            if self.log.last() == Some(&head) {
                self.log.pop();
            }
            self.keys
                .retain(|_, one| one.place != self.nodes[head].record.place);
            self.head = self.nodes[head].parent;
        }
        let head = self.head.map(|head| self.nodes[head].record.place);
        self.last = head.unwrap_or_default();
        for _ in 0..untrimmed {
            let before = match self.log.first() {
                Some(first) => self.nodes[*first].parent,
                None => self.head,
            };
            let Some(before) = before else { break };
            self.log.insert(0, before);
            self.is_whole = self.nodes[before].parent.is_none();
        }
    }

    /// Removes the stream and makes it again.
    pub(crate) fn recreate(&mut self) {
        self.losses += 1;
        self.mark += 1;
        self.log.clear();
        self.keys.clear();
        self.head = None;
        self.last = Place::START;
        self.is_whole = true;
        self.ms = 1;
    }

    /// Returns whether an entry is there.
    pub(crate) fn retains(&self, id: Id) -> bool {
        let at = self.by_id.get(&id);
        at.is_some_and(|at| self.log.contains(at))
    }

    fn page(&self, records: impl Iterator<Item = usize>, limit: PageLimit) -> Page {
        let records = records.take(limit.records.max(2));
        let mut records: Vec<_> = records.map(|at| self.nodes[at].record.clone()).collect();
        if let (true, [_, rest @ ..]) = (self.shuffles, &mut records[..]) {
            rest.reverse();
        }
        Page {
            records,
            facts: Facts {
                mark: format!("mark {}", self.mark).into(),
                first: self.log.first().map(|at| self.nodes[*at].record.place),
                last: self.last,
                is_whole: self.is_whole,
                deleted: Place::START,
            },
        }
    }

    fn from(&self, from: Place, limit: PageLimit) -> Page {
        let at = self
            .log
            .partition_point(|at| self.nodes[*at].record.place < from);
        self.page(self.log[at..].iter().copied(), limit)
    }
}

impl Engine for VecEngine {
    type Error = Down;
    type Follower = VecFollower;

    async fn append(&self, write: &Write) -> Result<Id, AppendError<Down>> {
        sleep(Duration::from_millis(1)).await;
        let written = {
            let mut world = self.up().map_err(AppendError::NotWritten)?;
            let written = match world.keys.get(&*write.key) {
                Some(written) => *written,
                None => {
                    let (place, tag) = (world.write(write.fields.clone()), write.tag);
                    let written = Id { place, tag };
                    world.keys.insert(write.key.to_string(), written);
                    written
                }
            };
            world
                .lost_replies
                .checked_sub(1)
                .map_or(Ok(written), |left| {
                    world.lost_replies = left;
                    Err(AppendError::Unknown(Down))
                })
        };
        self.0.written.notify_waiters();
        written
    }

    fn remembers_keys(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn max_entry_len(&self) -> usize {
        1 << 20
    }

    async fn read(&self, from: Place, limit: PageLimit) -> Result<Page, Down> {
        let page = {
            let mut world = self.up()?;
            world.reads += 1;
            world.reading += 1;
            world.most_reading = world.most_reading.max(world.reading);
            world.from(from, limit)
        };
        let _reading = Reading(self);
        sleep(self.lag()).await;
        Ok(page)
    }

    async fn follow(&self) -> Result<VecFollower, Down> {
        let cuts = self.up()?.cuts;
        let engine = self.clone();
        Ok(VecFollower { engine, cuts })
    }
}

/// A read that is on its way, or was given up.
struct Reading<'a>(&'a VecEngine);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.world().reading -= 1;
    }
}

pub(crate) struct VecFollower {
    engine: VecEngine,
    cuts: u32,
}

impl VecFollower {
    async fn answer(&self) {
        while self.engine.world().holds_readers {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(self.engine.lag()).await;
    }

    fn up(&self) -> Result<MutexGuard<'_, World>, Down> {
        let world = self.engine.up()?;
        match world.cuts == self.cuts {
            true => Ok(world),
            false => Err(Down),
        }
    }
}

impl Follower for VecFollower {
    type Error = Down;

    async fn next(&mut self, after: Place, wait: Duration) -> Result<Batch, Down> {
        let wait = tokio::time::Instant::now() + wait;
        let records = loop {
            let written = self.engine.0.written.notified();
            let mut page = {
                let world = self.up()?;
                let limit = PageLimit {
                    records: world.batch,
                    bytes: usize::MAX,
                };
                let log = &world.log;
                let at = log.partition_point(|at| world.nodes[*at].record.place <= after);
                world.page(log[at..].iter().copied(), limit)
            };
            let left = wait.saturating_duration_since(tokio::time::Instant::now());
            if !page.records.is_empty() || left.is_zero() {
                break std::mem::take(&mut page.records);
            }
            // Cut connections are seen soon.
            let _ = timeout(left.min(Duration::from_millis(100)), written).await;
        };
        self.answer().await;
        let world = self.up()?;
        let anchor = world
            .from(
                after,
                PageLimit {
                    records: 1,
                    bytes: 0,
                },
            )
            .records;
        let anchor = anchor.into_iter().find(|record| record.place == after);
        Ok(Batch {
            records,
            anchor: Anchor::Record(anchor),
        })
    }

    async fn read(&mut self, from: Place, limit: PageLimit) -> Result<Page, Down> {
        let page = self.up()?.from(from, limit);
        self.answer().await;
        Ok(page)
    }

    async fn read_back(&mut self, from: Option<Place>, limit: PageLimit) -> Result<Page, Down> {
        let mut world = self.up()?;
        let is_below = |at: &usize| from.is_none_or(|from| world.nodes[*at].record.place <= from);
        let at = world.log.partition_point(is_below);
        let page = world.page(world.log[..at].iter().rev().copied(), limit);
        let trims = world.trims;
        world.trim(trims);
        Ok(page)
    }
}
