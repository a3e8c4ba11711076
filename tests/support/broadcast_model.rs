//! The model of a broadcast: a plain list of every frame ever published.

use std::time::Duration;

/// How the broadcast of a play is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Ids are assigned, in the epoch [`EPOCH`].
    pub assigned: bool,
    pub frames: usize,
    pub bytes: usize,
    /// In seconds.
    pub age: Option<u8>,
    pub remembered: usize,
}

pub const EPOCH: u64 = 7;

/// The clock of the play begins near this, and not with the broadcast.
const START: Duration = Duration::from_secs(1_000_000);

/// A frame that was published.
#[derive(Clone, Debug)]
pub struct Published {
    pub wire: String,
    pub event_type: Option<&'static str>,
    pub id: Option<String>,
    pub scope: Option<&'static str>,
    at: Duration,
}

/// What is told of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Live,
    /// From this frame on.
    Resumed(u64),
    Gap,
    Unknown,
}

pub struct Model {
    config: Config,
    /// All of them; the first has the number 1.
    pub all: Vec<Published>,
    /// The number of the oldest that is retained.
    pub oldest: u64,
    now: Duration,
    has_time: bool,
    pub closed: bool,
}

impl Model {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            all: Vec::new(),
            oldest: 1,
            now: Duration::ZERO,
            has_time: false,
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

    pub fn publish(
        &mut self,
        wire: String,
        event_type: Option<&'static str>,
        id: Option<String>,
        scope: Option<&'static str>,
    ) {
        let at = self.now;
        self.all.push(Published {
            wire,
            event_type,
            id,
            scope,
            at,
        });
        while self.head() - self.oldest > self.config.frames as u64
            || self.retained_bytes() > self.config.bytes
        {
            self.oldest += 1;
        }
    }

    pub fn advance(&mut self, seconds: u8) {
        self.now += Duration::from_secs(u64::from(seconds));
        if !self.has_time {
            // The clock began before this broadcast. Frames published before the first call are of
            // the time of that call.
            self.has_time = true;
            self.now += START;
            self.all.iter_mut().for_each(|frame| frame.at = self.now);
        }
        let Some(age) = self.config.age else {
            return;
        };
        let age = Duration::from_secs(u64::from(age));
        let young = self.retained().position(|frame| self.now <= frame.at + age);
        self.oldest += young.map_or(self.head() - self.oldest, |young| young as u64);
    }

    pub fn now(&self) -> Duration {
        self.now
    }

    /// The numbers of the dropped frames that are remembered, and the number of the last frame with a
    /// scope that is forgotten.
    fn remembered(&self) -> (Vec<u64>, u64) {
        let worth = |number: &u64| {
            let frame = self.frame(*number);
            let has_id = frame.id.as_deref().is_some_and(|id| !id.is_empty());
            (has_id && !self.config.assigned) || frame.scope.is_some()
        };
        let mut gone: Vec<u64> = (1..self.oldest).filter(worth).collect();
        let forgotten = gone.len().saturating_sub(self.config.remembered);
        let kept = gone.split_off(forgotten);
        let mut forgotten = gone.into_iter().rev();
        let last = forgotten.find(|&number| self.frame(number).scope.is_some());
        (kept, last.unwrap_or(0))
    }

    /// The answer to an id, for a subscriber that sees some scopes.
    pub fn answer(&self, id: Option<&str>, sees: impl Fn(&str) -> bool) -> Answer {
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Answer::Live;
        };
        let (remembered, forgotten_scope) = self.remembered();
        let is_known = |number: &u64| *number >= self.oldest || remembered.contains(number);
        let visible = |number: u64| self.frame(number).scope.is_none_or(&sees);
        let number = if self.config.assigned {
            self.assigned(id).filter(|&(number, is_place)| {
                let sure = is_known(&number) || number > forgotten_scope;
                is_place || (sure && number > 0 && visible(number))
            })
        } else {
            let of_it = |number: &u64| self.frame(*number).id.as_deref() == Some(id);
            // One that recurs stands for its last.
            let last = (1..self.head()).rev().find(of_it).filter(is_known);
            last.filter(|&number| visible(number))
                .map(|number| (number, false))
        };
        match number {
            None => Answer::Unknown,
            Some((number, _)) if number + 1 >= self.oldest => Answer::Resumed(number + 1),
            Some(_) => Answer::Gap,
        }
    }

    /// The number in an assigned id, and whether the id stands for the place after the frame.
    pub fn assigned(&self, id: &str) -> Option<(u64, bool)> {
        (0..self.head()).find_map(|number| {
            let text = format!("{EPOCH}-{number}");
            let is_place = id.strip_suffix('~') == Some(&text);
            (is_place || id == text).then_some((number, is_place))
        })
    }
}
