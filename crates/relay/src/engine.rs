//! What a relay asks of an engine.

use core::error::Error;
use core::fmt;
use core::future::Future;
use core::time::Duration;

use crate::entry::{Fields, Record};
use crate::id::{Id, Place};

/// A log that many machines share: a Redis stream, a JetStream.
///
/// A relay reads an engine in two ways. Its reader follows the log with a [`Follower`], on a
/// connection of its own. Clients that come back read pages, on connections that they share.
///
/// # Contract
///
/// - The engine assigns places in increasing [order](Self::order) while it does not lose entries.
///   After it has lost some, it may give the same places to other entries, or smaller ones.
/// - Every answer is from what serves writes: a leader, a master. What is not is an error.
/// - A [`Page`] is one moment of the log: its records and its facts belong together.
/// - Each future ends by itself within a few seconds, or with an error. Dropping one leaves nothing
///   behind but, for [`append`](Self::append), an entry that may have been written.
pub trait Engine: Send + Sync + 'static {
    /// Why a call failed.
    type Error: Error + Send + Sync + 'static;

    /// The reader of the log.
    type Follower: Follower<Error = Self::Error>;

    /// Returns a number that grows with each place that the engine assigns. It is below 2^128 - 1,
    /// and that of [`Place::START`] is below all others.
    fn order(place: Place) -> u128 {
        u128::from(place.ms) << 64 | u128::from(place.seq)
    }

    /// Writes an entry, once for each key that the engine remembers.
    ///
    /// The engine remembers the key with the place and the tag of what it wrote, and returns them,
    /// now and for each later try with the key. A stream that is not there is an error: it is never
    /// made here. Trims the stream by its limits, and never removes the entry that was the newest
    /// before this one.
    fn append(
        &self,
        write: &Write,
    ) -> impl Future<Output = Result<Id, AppendError<Self::Error>>> + Send;

    /// Returns how long the engine remembers a key at least.
    fn remembers_keys(&self) -> Duration;

    /// Returns the most bytes that the fields of an entry may take.
    fn max_entry_len(&self) -> usize;

    /// Reads records in order, from a place on, and including it.
    ///
    /// Returns at most the records of the limit, and at least two if they are there. The records
    /// are a run of the log: nothing was removed between two of them that `facts.deleted` does not
    /// say.
    fn read(
        &self,
        from: Place,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Page, Self::Error>> + Send;

    /// Opens a reader, on a connection of its own.
    fn follow(&self) -> impl Future<Output = Result<Self::Follower, Self::Error>> + Send;
}

/// One try to write an entry.
#[derive(Clone, Debug)]
pub struct Write {
    /// The key of the publication: visible ASCII, at most 128 bytes.
    pub key: Box<str>,
    /// The mark of the fields, which no other try has.
    pub tag: u32,
    /// What the engine stores.
    pub fields: Fields,
}

/// The one reader of a relay. After an error it is dropped, and another is opened.
pub trait Follower: Send + 'static {
    /// Why a call failed.
    type Error;

    /// Reads records after a place, in order. If there are none, waits up to `wait` for the first.
    ///
    /// This future is never dropped and polled again by a `select!`. If it takes much longer than
    /// `wait`, the follower is dropped with it.
    fn next(
        &mut self,
        after: Place,
        wait: Duration,
    ) -> impl Future<Output = Result<Batch, Self::Error>> + Send;

    /// Reads as [`Engine::read`] does, on the connection of the reader.
    fn read(
        &mut self,
        from: Place,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Page, Self::Error>> + Send;

    /// Reads records backwards, the newest first: from a place on and including it, or from the
    /// end.
    fn read_back(
        &mut self,
        from: Option<Place>,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Page, Self::Error>> + Send;
}

/// The most that a page holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PageLimit {
    /// The most records.
    pub records: usize,
    /// The bytes of their fields. A page of more than two records does not exceed them.
    pub bytes: usize,
}

/// Records of one moment of the log, and what the stream was then.
#[derive(Clone, Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// The stream.
    pub facts: Facts,
}

/// What an engine knows of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The mark that was drawn when the stream was made. A stream that was made again has another.
    pub mark: Box<str>,
    /// The place of the oldest record that is there.
    pub first: Option<Place>,
    /// The newest place that was assigned, whether its record is there or not. [`Place::START`] if
    /// there is none.
    pub last: Place,
    /// Whether every record that was ever written is there.
    pub is_whole: bool,
    /// A place at or after every record that was removed from the middle, as far as the records of
    /// this page, and those after them, are concerned. Trimming the oldest does not count.
    /// [`Place::START`] if nothing was removed.
    pub deleted: Place,
}

/// What [`Follower::next`] read.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The records, in order; none if the time is over.
    pub records: Vec<Record>,
    /// What shows that nothing is missing before the first record.
    pub anchor: Anchor,
}

/// What shows that the records of a [`Batch`] follow the place after which they were read.
#[derive(Clone, Debug)]
pub enum Anchor {
    /// The record at that place, looked up after the records were read. `None`: it is not there, so
    /// that others may be missing after it. It is there with another tag: this is another log.
    Record(Option<Record>),
    /// The engine numbers records without gaps, and the follower has compared the numbers from one
    /// call to the next.
    Unbroken,
}

/// Why an entry was not written, or may not have been.
#[derive(Clone, Debug, PartialEq)]
pub enum AppendError<E> {
    /// It was surely not written, and trying again does not help.
    Refused(E),
    /// It was surely not written. Trying again may help.
    NotWritten(E),
    /// It may have been written: no answer came.
    Unknown(E),
}

impl<E> AppendError<E> {
    /// Returns the engine's error.
    pub fn into_source(self) -> E {
        match self {
            Self::Refused(source) | Self::NotWritten(source) | Self::Unknown(source) => source,
        }
    }
}

impl<E: fmt::Display> fmt::Display for AppendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(source) => write!(f, "refused: {source}"),
            Self::NotWritten(source) => write!(f, "not written: {source}"),
            Self::Unknown(source) => write!(f, "no answer: {source}"),
        }
    }
}

impl<E: Error> Error for AppendError<E> {}
