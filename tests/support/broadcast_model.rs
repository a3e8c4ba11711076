//! The model of a broadcast: a plain list of every frame, and for each subscriber the list of the
//! frames that it must still see.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How the broadcast of a play is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Ids are assigned, in the epoch [`EPOCH`]; otherwise they are digits.
    pub assigned: bool,
    pub frames: usize,
    pub bytes: usize,
    /// In seconds.
    pub age: Option<u8>,
    /// How many forgotten topics are remembered; `None` is the default, which no play exceeds.
    pub remembered: Option<usize>,
}

pub const EPOCH: u64 = 7;

/// What a topic that nobody has costs beside its name, as the documentation says.
const TOPIC: usize = 200;

/// A frame that was published, or a place.
#[derive(Clone, Debug)]
pub struct Published {
    pub wire: String,
    pub event_type: Option<&'static str>,
    pub id: Option<String>,
    pub topic: Option<String>,
    /// Nobody gets it.
    pub is_place: bool,
    at: Duration,
}

impl Published {
    fn key(&self) -> Option<u128> {
        key(self.id.as_deref()?)
    }
}

/// The key of an id of digits, below the largest number.
pub fn key(id: &str) -> Option<u128> {
    let is_digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    is_digits
        .then(|| id.parse().ok())?
        .filter(|key| *key < u128::MAX)
}

/// What is told of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Live,
    /// From this frame on.
    Resumed(u64),
    Gap,
    Unknown,
    Ahead,
}

/// The topics of a subscriber, and the number of the first frame of each that it may see.
pub type Topics = BTreeMap<String, u64>;

pub struct Model {
    pub config: Config,
    /// All of them; the first has the number 1.
    pub all: Vec<Published>,
    /// The number of the oldest that is retained.
    pub oldest: u64,
    /// The text that the log begins after, with the number before which it begins.
    origin: Option<(String, u64)>,
    pub now: Duration,
    pub closed: bool,
}

impl Model {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            all: Vec::new(),
            oldest: 1,
            origin: None,
            now: Duration::ZERO,
            closed: false,
        }
    }

    /// The number of the next frame.
    pub fn head(&self) -> u64 {
        self.all.len() as u64 + 1
    }

    pub fn frame(&self, number: u64) -> &Published {
        &self.all[usize::try_from(number - 1).unwrap()]
    }

    pub fn retained(&self) -> impl Iterator<Item = &Published> {
        (self.oldest..self.head()).map(|number| self.frame(number))
    }

    pub fn retained_bytes(&self) -> usize {
        self.retained().map(|frame| frame.wire.len()).sum()
    }

    /// The topics that a retained frame is for.
    pub fn retained_topics(&self) -> BTreeSet<&str> {
        self.retained()
            .filter_map(|one| one.topic.as_deref())
            .collect()
    }

    /// What the topics cost that retained frames alone keep, if one more frame comes.
    fn cost(&self, more: Option<&str>, had: &BTreeSet<String>) -> usize {
        let mut topics = self.retained_topics();
        topics.extend(more);
        let alone = topics.into_iter().filter(|topic| !had.contains(*topic));
        alone.map(|topic| TOPIC + topic.len()).sum()
    }

    /// Publishes a frame. `had` are the topics that somebody has.
    pub fn publish(&mut self, mut published: Published, had: &BTreeSet<String>) {
        published.at = self.now;
        let topic = published.topic.as_deref();
        while self.oldest < self.head()
            && (self.head() - self.oldest >= self.config.frames as u64
                || self.retained_bytes() + published.wire.len() + self.cost(topic, had)
                    > self.config.bytes)
        {
            self.oldest += 1;
        }
        self.all.push(published);
    }

    pub fn published(
        wire: String,
        event_type: Option<&'static str>,
        id: Option<String>,
        topic: Option<String>,
    ) -> Published {
        Published {
            wire,
            event_type,
            id,
            topic,
            is_place: false,
            at: Duration::ZERO,
        }
    }

    pub fn advance(&mut self, seconds: u8) {
        self.now += Duration::from_secs(u64::from(seconds));
        let Some(age) = self.config.age else {
            return;
        };
        let age = Duration::from_secs(u64::from(age));
        let young = self.retained().position(|frame| self.now <= frame.at + age);
        self.oldest += young.map_or(self.head() - self.oldest, |young| young as u64);
    }

    pub fn reset(&mut self, origin: Option<String>) {
        self.oldest = self.head();
        self.origin = origin.map(|id| (id, self.head()));
        if !self.config.assigned {
            // What is before is not there any more, and proves nothing.
            let head = self.head();
            self.all.iter_mut().for_each(|one| one.id = None);
            self.origin = self.origin.take().map(|(id, _)| (id, head));
        }
    }

    pub fn rewind(&mut self, number: u64) {
        self.all.truncate(usize::try_from(number).unwrap());
    }

    /// The last id before the log, and the number of its frame.
    fn floor(&self) -> Option<(&str, u64)> {
        let dropped = (1..self.oldest).rev();
        let mut ids =
            dropped.filter_map(|number| Some((self.frame(number).id.as_deref()?, number)));
        let origin = || self.origin.as_ref().map(|(id, head)| (&**id, head - 1));
        ids.next().or_else(origin)
    }

    /// Returns whether a subscriber with these topics may see a frame.
    pub fn sees(&self, topics: &Topics, number: u64) -> bool {
        let frame = self.frame(number);
        if frame.is_place {
            return false;
        }
        match &frame.topic {
            None => true,
            Some(topic) => topics.get(topic).is_some_and(|since| number >= *since),
        }
    }

    /// The number of the frame of an id that is in the log or just before it, or the answer.
    pub fn find(&self, id: &str) -> Result<u64, Answer> {
        if self.config.assigned {
            let numbers = 0..self.head();
            let mut found = numbers.filter(|number| id == format!("{EPOCH}-{number}"));
            return found.next().ok_or(Answer::Unknown);
        }
        let Some(own) = key(id) else {
            return Err(Answer::Unknown);
        };
        let floor = self.floor();
        if let Some((floor, number)) = floor {
            match own.cmp(&key(floor).unwrap()) {
                std::cmp::Ordering::Less => return Err(Answer::Gap),
                std::cmp::Ordering::Equal if floor != id => return Err(Answer::Unknown),
                std::cmp::Ordering::Equal if number + 1 < self.oldest => return Err(Answer::Gap),
                std::cmp::Ordering::Equal => return Ok(number),
                std::cmp::Ordering::Greater => {}
            }
        }
        let mut numbers = self.oldest..self.head();
        if let Some(number) = numbers.find(|number| self.frame(*number).id.as_deref() == Some(id)) {
            return Ok(number);
        }
        let last = self.retained().filter_map(Published::key).last();
        let last = last.or(floor.and_then(|(floor, _)| key(floor)));
        Err(match last {
            Some(last) if own > last => Answer::Ahead,
            _ => Answer::Unknown,
        })
    }

    /// The answer to an id, for a subscriber with some topics.
    pub fn answer(&self, id: Option<&str>, topics: &Topics) -> Answer {
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Answer::Live;
        };
        match self.find(id) {
            Err(answer) => answer,
            Ok(number) if (number + 1..self.oldest).any(|lost| self.sees(topics, lost)) => {
                Answer::Gap
            }
            Ok(number) => Answer::Resumed(number + 1),
        }
    }

    /// The newest id of the frames before a number.
    pub fn id_before(&self, number: u64) -> Option<String> {
        if self.config.assigned {
            return Some(format!("{EPOCH}-{}", number - 1));
        }
        let mut before = (self.oldest..number).rev();
        let id = before.find_map(|number| self.frame(number).id.clone());
        id.or(self.floor().map(|(id, _)| id.to_owned()))
    }

    /// The key of the last id; 0 if there is none.
    pub fn last_key(&self) -> u128 {
        let id = self.id_before(self.head());
        id.and_then(|id| key(&id)).unwrap_or(0)
    }
}
