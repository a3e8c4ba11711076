//! `Publisher`, which writes into the log of an engine.

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use tokio::time::{Instant, sleep};

use crate::engine::{AppendError, Engine, Write};
use crate::entry::{Entry, tag_of};
use crate::id::Id;
use crate::options::{Options, Rule};
use crate::random::random;

/// Publishes entries into the log. Needs no relay, and works beside one.
///
/// Publications that are awaited one after the other are in the log in this order.
pub struct Publisher<E> {
    engine: Arc<E>,
    retry_for: Duration,
    options: Options,
}

impl<E: Engine> Publisher<E> {
    /// Opens a publisher that tries each publication again for 10 s.
    ///
    /// # Errors
    ///
    /// As [`with_retry_for`](Self::with_retry_for).
    pub async fn open(engine: E) -> Result<Self, RetriesTooLong> {
        let publisher = Self {
            engine: Arc::new(engine),
            retry_for: Duration::ZERO,
            options: Options::new(),
        };
        publisher.with_retry_for(Duration::from_secs(10))
    }

    /// Sets for how long a publication is tried again.
    ///
    /// # Errors
    ///
    /// If that is more than half of the time for which the engine remembers a key: a late try might
    /// write an entry a second time.
    pub fn with_retry_for(mut self, retry_for: Duration) -> Result<Self, RetriesTooLong> {
        if retry_for > self.engine.remembers_keys() / 2 {
            return Err(RetriesTooLong);
        }
        self.retry_for = retry_for;
        Ok(self)
    }

    /// Breaks a rule.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn with_broken(mut self, rule: Option<Rule>) -> Self {
        self.options = self.options.with_broken(rule);
        self
    }

    /// Publishes an entry, and returns its id.
    ///
    /// An entry without a [key](Entry::with_key) gets one, which all tries of this call have. Dropping
    /// the future is as [`Unconfirmed`](PublishError::Unconfirmed): the entry may be in the log.
    ///
    /// # Errors
    ///
    /// [`Refused`](PublishError::Refused): the entry is surely not in the log.
    /// [`Unconfirmed`](PublishError::Unconfirmed): it may be.
    pub async fn publish(&self, entry: &Entry) -> Result<Id, PublishError<E::Error>> {
        let mut key: Box<str> = entry.key().map_or_else(draw_key, Into::into);
        let (len, limit) = (entry.len(&key), self.engine.max_entry_len());
        if len > limit {
            return Err(PublishError::Refused(Refusal::TooLarge { len, limit }));
        }
        let deadline = Instant::now() + self.retry_for;
        let mut may_be_written = false;
        let mut pause = Duration::from_millis(10);
        loop {
            let fields = entry.to_fields(&key, random() as u32);
            let write = Write {
                key: key.clone(),
                tag: tag_of(&fields),
                fields,
            };
            let error = match self.engine.append(&write).await {
                Ok(id) => return Ok(id),
                Err(error) => error,
            };
            may_be_written |= matches!(error, AppendError::Unknown(_));
            let is_final = matches!(error, AppendError::Refused(_));
            if is_final || Instant::now() + pause > deadline {
                let source = error.into_source();
                return Err(match may_be_written {
                    true => PublishError::Unconfirmed { key, source },
                    false => PublishError::Refused(Refusal::Engine(source)),
                });
            }
            if self.options.breaks(Rule::SameKey) {
                key = draw_key();
            }
            sleep(pause.mul_f64(0.5 + random() as f64 / u64::MAX as f64 / 2.0)).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }
}

fn draw_key() -> Box<str> {
    format!("{:016x}{:016x}", random(), random()).into()
}

impl<E> Clone for Publisher<E> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            retry_for: self.retry_for,
            options: self.options.clone(),
        }
    }
}

impl<E> fmt::Debug for Publisher<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("retry_for", &self.retry_for)
            .finish_non_exhaustive()
    }
}

/// What became of an entry that was not confirmed.
#[derive(Debug, PartialEq)]
pub enum PublishError<R> {
    /// It was surely not written.
    Refused(Refusal<R>),
    /// It may have been written: an answer was lost, or too few replicas have it. Publish it again
    /// [with this key](Entry::with_key) while the engine remembers it, and it is in the log once.
    Unconfirmed {
        /// The key of the publication.
        key: Box<str>,
        /// Why there is no answer.
        source: R,
    },
}

/// Why an entry was not written.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Refusal<R> {
    /// The entry takes more bytes than the stream takes.
    TooLarge {
        /// The bytes of the fields of the entry.
        len: usize,
        /// The most that the stream takes.
        limit: usize,
    },
    /// The engine refused.
    Engine(R),
}

impl<R: fmt::Display> fmt::Display for PublishError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal::TooLarge { len, limit }) => {
                write!(
                    f,
                    "the entry takes {len} bytes, and the stream takes {limit}"
                )
            }
            Self::Refused(Refusal::Engine(error)) => write!(f, "the entry was refused: {error}"),
            Self::Unconfirmed { key, source } => {
                write!(
                    f,
                    "the entry with the key {key} may have been written: {source}"
                )
            }
        }
    }
}

impl<R: Error + 'static> Error for PublishError<R> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(Refusal::TooLarge { .. }) => None,
            Self::Refused(Refusal::Engine(source)) | Self::Unconfirmed { source, .. } => {
                Some(source)
            }
        }
    }
}

/// The error of retries that go on for longer than half of the engine's memory of keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetriesTooLong;

impl fmt::Display for RetriesTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("retries would outlast the engine's memory of keys")
    }
}

impl Error for RetriesTooLong {}
