//! Plays on a broadcast and on its model: each subscriber gets exactly what the model says, is woken
//! when there is something for it and only then, and a client that comes back misses nothing and has
//! nothing twice.

mod check;
mod reader;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sse_proto::broadcast::{Arrival, Key, Publication, PublishError, Retention, Subscribed};
use sse_proto::target::CloseReason;
use sse_proto::{Broadcast, Event, EventId, EventType, Frame};

use self::reader::{Body, Reader};
use super::broadcast_model::{Answer, Config, EPOCH, Model, Published, Topics, key};
use super::broadcast_ops::{
    KINDS, NAMES, Op, Piece, TYPES, WhichId, options, reset, takes, topic, topics,
};
use super::law::law;

/// The law of this file.
pub fn plays_like_its_model(config: Config, ops: &[Op]) {
    let _law = law(
        "6, 8, 10, 12, 14: each subscriber of a broadcast gets what a plain list says",
        format!("{config:?} {ops:?}"),
    );
    let mut play = Play::new(config);
    for op in ops {
        play.step(*op);
        play.check();
    }
    // Poll to the end, so that every frame that is owed comes.
    play.step(Op::Close { farewell: true });
    for at in 0..play.readers.len() {
        let at = u8::try_from(at).unwrap();
        while play.reader(at).is_some_and(|reader| reader.is_open()) {
            play.step(Op::Poll(at));
        }
    }
    let before = play.owners();
    play.readers.clear();
    play.note_presence(&before);
    play.check();
    let statistics = play.broadcast.statistics();
    assert_eq!((statistics.subscribers, play.owners().len()), (0, 0));
}

const BYE: &str = "data: bye\n\n";

/// The future of [`Broadcast::reached`].
type Reached = Pin<Box<dyn Future<Output = Arrival>>>;

struct Play {
    config: Config,
    broadcast: Broadcast,
    clock: Arc<AtomicU64>,
    model: Model,
    readers: Vec<Option<Reader>>,
    farewell: bool,
    lagged: u64,
    /// How many were published, with those that were rewound.
    published: u64,
    /// The topics that got their first subscriber, or lost their last, as told and as they must be.
    told: Arc<Mutex<Vec<(String, bool)>>>,
    presence: Vec<(String, bool)>,
    fresh: Cell<u64>,
    /// What waits for an id.
    awaited: Vec<(String, Reached, Option<Arrival>)>,
    /// The number after the last frame of which nobody may be resumed as if it were there: numbers
    /// are used again after a rewind.
    rewound: bool,
}

impl Play {
    fn new(config: Config) -> Self {
        let mut retention = Retention::new(config.frames, config.bytes);
        let clock = Arc::new(AtomicU64::new(0));
        if let Some(age) = config.age {
            let clock = Arc::clone(&clock);
            let now = move || Duration::from_secs(clock.load(Ordering::Relaxed));
            retention = retention.with_max_age(Duration::from_secs(u64::from(age)), now);
        }
        if let Some(remembered) = config.remembered {
            retention = retention.with_remembered_topics(remembered);
        }
        let broadcast = if config.assigned {
            Broadcast::with_epoch(retention, EPOCH)
        } else {
            Broadcast::with_key(retention, Key::number())
        };
        let told = Arc::<Mutex<Vec<(String, bool)>>>::default();
        let tells = Arc::clone(&told);
        broadcast.on_presence(move |topic, is_here| {
            tells.lock().unwrap().push((topic.to_owned(), is_here));
        });
        Self {
            config,
            broadcast,
            clock,
            model: Model::new(config),
            readers: Vec::new(),
            farewell: false,
            lagged: 0,
            published: 0,
            told,
            presence: Vec::new(),
            fresh: Cell::new(0),
            awaited: Vec::new(),
            rewound: false,
        }
    }

    fn step(&mut self, op: Op) {
        let before = self.owners();
        match op {
            Op::Publish(piece) => self.publish(piece),
            Op::Batch { from, many } => self.batch(from, many),
            Op::Subscribe { kind, id, oldest } => self.subscribe(kind % KINDS, id, oldest),
            Op::Poll(at) => self.poll(at),
            Op::Move(at) => {
                if let Some(reader) = self.reader(at) {
                    reader.move_on();
                }
            }
            Op::Drop(at) => {
                if let Some(reader) = self.readers.get_mut(usize::from(at)).and_then(Option::take) {
                    let handle = reader.handle.clone();
                    let end = reader.detached.or(reader.end);
                    drop(reader);
                    let reason = now(handle.closed());
                    assert_eq!(reason, Some(end.unwrap_or(CloseReason::ClientGone)));
                }
            }
            Op::AddTopic(at, name) => self.add_topic(at, NAMES[usize::from(name) % 4]),
            Op::RemoveTopic(at, name) => self.remove_topic(at, NAMES[usize::from(name) % 4]),
            Op::SendAway { reader, farewell } => self.send_away(reader, farewell),
            Op::Hold { kind } => self.hold(kind % KINDS),
            Op::HoldAgain(at) => self.hold_again(at),
            Op::Join(at, id) => self.join(at, id),
            Op::Reach(id) => self.reach(id),
            Op::Rewind(id) => self.rewind(id),
            Op::Reset { origin } => self.reset(origin),
            Op::Advance(seconds) => {
                self.model.advance(seconds);
                self.clock.fetch_add(u64::from(seconds), Ordering::Relaxed);
            }
            Op::Close { farewell } => {
                let frame = farewell.then(|| Frame::new(&Event::message("bye")));
                self.broadcast.close(frame);
                if !self.model.closed {
                    self.model.closed = true;
                    self.farewell = farewell;
                    self.all_are_woken(|_| true);
                    self.arrive(|_| Some(Arrival::Closed));
                }
            }
        }
        self.note_presence(&before);
    }

    fn reader(&mut self, at: u8) -> Option<&mut Reader> {
        self.readers.get_mut(usize::from(at))?.as_mut()
    }

    /// The readers that count, with how many have each topic.
    fn owners(&self) -> BTreeMap<String, usize> {
        let mut owners = BTreeMap::new();
        for reader in self.readers.iter().flatten().filter(|one| one.is_counted()) {
            for topic in reader.topics.keys() {
                *owners.entry(topic.clone()).or_default() += 1;
            }
        }
        owners
    }

    fn note_presence(&mut self, before: &BTreeMap<String, usize>) {
        let after = self.owners();
        let gone = before.keys().filter(|topic| !after.contains_key(*topic));
        let new = after.keys().filter(|topic| !before.contains_key(*topic));
        let gone: Vec<_> = gone.map(|topic| (topic.clone(), false)).collect();
        self.presence.extend(gone);
        self.presence.extend(new.map(|topic| (topic.clone(), true)));
    }

    /// A piece as an event, and as the frame that the model must get.
    fn make(&self, piece: Piece) -> (Event<'static>, Published) {
        let mut event = Event::message("x".repeat(usize::from(piece.len)));
        let event_type = TYPES[usize::from(piece.event_type) % 3];
        if let Some(event_type) = event_type {
            event = event.with_event_type(EventType::from_static(event_type));
        }
        let id = self.make_id(piece.id).filter(|_| !self.config.assigned);
        if let Some(id) = &id {
            event = event.with_id(EventId::new(id.clone()).unwrap());
        }
        self.fresh.set(self.fresh.get() + 1);
        let topic = topic(piece.topic, self.fresh.get());
        let mut sent = event.clone();
        let mut id = id;
        if self.config.assigned {
            id = Some(format!("{EPOCH}-{}", self.model.head()));
            sent = sent.with_id(EventId::new(id.clone().unwrap()).unwrap());
        }
        let wire = as_text(&sent.to_bytes());
        (event, Model::published(wire, event_type, id, topic))
    }

    fn make_id(&self, way: u8) -> Option<String> {
        let last = self.model.last_key();
        Some(match way {
            0 => return None,
            1 => last.to_string(),
            2 => format!("0{}", last + 1),
            3 => "x".into(),
            4 => " 1".into(),
            5 => String::new(),
            way => (last + u128::from(way) / 4).to_string(),
        })
    }

    /// What the broadcast must answer to a publication.
    fn expect(&self, frame: &Published) -> Result<u64, PublishError> {
        let (len, limit) = (frame.wire.len(), self.config.bytes);
        if !self.config.assigned {
            let last = Some(self.model.last_key()).filter(|_| self.has_ids());
            match frame.id.as_deref() {
                Some(id) if key(id).is_none() => return Err(PublishError::NoKey),
                Some(id) if len <= limit && !self.model.closed && key(id) <= last => {
                    return Err(PublishError::OutOfOrder);
                }
                _ => {}
            }
        }
        if len > limit {
            return Err(PublishError::TooLarge { len, limit });
        }
        if self.model.closed {
            return Err(PublishError::Closed);
        }
        Ok(self.model.head())
    }

    fn has_ids(&self) -> bool {
        self.model.id_before(self.model.head()).is_some()
    }

    fn publish(&mut self, piece: Piece) {
        let (event, frame) = self.make(piece);
        let expected = self.expect(&frame);
        let result = match &frame.topic {
            None => self.broadcast.publish(&event),
            Some(topic) => self.broadcast.publish_to(topic, &event),
        };
        if let (Err(PublishError::InvalidId(_)), Some(" 1")) = (&result, frame.id.as_deref()) {
            return;
        }
        if self.model.closed {
            // Any of the reasons may be told.
            assert!(result.is_err());
            return;
        }
        assert_eq!(result, expected);
        if result.is_ok() {
            let topics = self.enter(frame);
            self.all_are_woken(|reader| topics.iter().any(|topic| reader.gets(topic.as_deref())));
        }
    }

    /// Enters a frame, and gives it to those who may see it. Returns its topic, if it is a frame.
    fn enter(&mut self, frame: Published) -> Vec<Option<String>> {
        let had: BTreeSet<String> = self.owners().into_keys().collect();
        let (topic, is_place, id) = (frame.topic.clone(), frame.is_place, frame.id.clone());
        self.model.publish(frame, &had);
        self.published += 1;
        let number = self.model.head() - 1;
        for reader in self.readers.iter_mut().flatten() {
            if !is_place && reader.gets(topic.as_deref()) {
                reader.owed.push_back(number);
            }
        }
        if let Some(id) = id {
            self.arrive(|awaited| {
                let (one, last) = match awaited.split_once('-') {
                    Some((_, number)) => (number.parse().unwrap(), number_in(&id)),
                    None => (key(awaited).unwrap(), key(&id).unwrap()),
                };
                if awaited == id {
                    Some(Arrival::In)
                } else {
                    (one <= last).then_some(Arrival::Passed)
                }
            });
        }
        Vec::from_iter((!is_place).then_some(topic))
    }

    fn batch(&mut self, from: Piece, many: u8) {
        let mut pieces = Vec::new();
        let mut expected = Vec::new();
        let mut topics = Vec::new();
        for at in 0..many {
            let id = from.id.wrapping_add(at) % 16;
            let piece = Piece {
                id,
                topic: from.topic.wrapping_add(at),
                ..from
            };
            let (event, mut frame) = self.make(piece);
            let is_place = at % 3 == 2 && frame.id.is_some() && !self.config.assigned;
            if is_place {
                let id = EventId::new(frame.id.clone().unwrap()).unwrap();
                pieces.push(Publication::place(id.clone()));
                frame = Model::published(
                    as_text(&Event::block().with_id(id).to_bytes()),
                    None,
                    frame.id,
                    None,
                );
                frame.is_place = true;
            } else {
                let piece = Publication::new(Frame::new(&event));
                pieces.push(match frame.topic.clone() {
                    None => piece,
                    Some(topic) => piece.with_topic(topic),
                });
            }
            if self.config.assigned {
                expected.push(Err(PublishError::AssignsIds));
                continue;
            }
            let answer = self.expect(&frame);
            if answer.is_ok() {
                topics.extend(self.enter(frame));
                expected.push(answer);
            } else {
                let is_invalid = frame.id.as_deref() == Some(" 1");
                expected.push(if is_invalid { Ok(0) } else { answer });
            }
        }
        let answers = self.broadcast.publish_all(pieces);
        assert_eq!(answers.len(), expected.len());
        for (answer, expected) in answers.into_iter().zip(expected) {
            if self.model.closed {
                assert!(answer.is_err());
            } else if expected == Ok(0) {
                assert!(matches!(answer, Err(PublishError::InvalidId(_))));
            } else {
                assert_eq!(answer, expected);
            }
        }
        self.all_are_woken(|reader| topics.iter().any(|topic| reader.gets(topic.as_deref())));
    }

    /// Each subscriber that returned `Pending` is woken once if it is to be, and none that is not to
    /// be. (One that got its last chunk may wait, too.)
    fn all_are_woken(&mut self, is_to_be: impl Fn(&Reader) -> bool) {
        for reader in self.readers.iter_mut().flatten() {
            let wakes = reader.wakes.take();
            if !is_to_be(reader) {
                assert_eq!(wakes, 0, "woken for nothing");
            } else if reader.pending && !reader.woken {
                assert_eq!(wakes, 1, "a wake is lost");
                reader.woken = true;
            } else {
                assert!(wakes <= 1, "woken {wakes} times");
            }
        }
    }

    fn which(&self, which: WhichId) -> Option<String> {
        match which {
            WhichId::None => None,
            WhichId::Last(at) => {
                let reader = self.readers.get(usize::from(at))?.as_ref()?;
                reader.last_id.clone()
            }
            WhichId::Back(back) => {
                let number = self.model.head().checked_sub(u64::from(back) + 1)?;
                (number > 0).then(|| self.model.frame(number).id.clone())?
            }
            WhichId::Made(number) => {
                let made = [
                    "",
                    "7-0",
                    "7-1",
                    "7-3",
                    "7-9",
                    "7-03",
                    "8-1",
                    "7-",
                    "-1",
                    "0",
                    "1",
                    "01",
                    "3",
                    "18446744073709551616",
                    "340282366920938463463374607431768211455",
                    "x",
                ];
                Some(made[usize::from(number)].to_owned())
            }
            WhichId::Above(above) if self.config.assigned => {
                Some(format!("{EPOCH}-{}", self.model.head() + u64::from(above)))
            }
            WhichId::Above(above) => Some((self.model.last_key() + u128::from(above)).to_string()),
        }
    }

    fn subscribe(&mut self, kind: u8, which: WhichId, oldest: bool) {
        if self.readers.len() > 40 {
            return;
        }
        let mut from = None;
        if let WhichId::Last(at) = which {
            from = self
                .reader(at)
                .map(|reader| (reader.kind, reader.seen.clone()));
        }
        let id = self.which(which);
        let own: Topics = topics(kind)
            .iter()
            .map(|name| ((*name).to_owned(), 0))
            .collect();
        let expected = self.model.answer(id.as_deref(), &own);
        let last = id.clone().map(|id| EventId::new(id).unwrap());
        let subscribed = self.broadcast.subscribe_with(last.clone(), &options(kind));
        let head = self.model.head();
        let sees = |from: u64| {
            let model = &self.model;
            let all = (from.max(model.oldest)..head).filter(|number| model.sees(&own, *number));
            all.collect::<Vec<_>>()
        };
        let mut answer = expected;
        match &subscribed {
            Subscribed::Live(_) => assert_eq!(expected, Answer::Live),
            Subscribed::Resumed { missed, .. } => {
                let Answer::Resumed(cursor) = expected else {
                    panic!("{id:?} is resumed for {kind}, and not {expected:?}");
                };
                assert_eq!(*missed, sees(cursor).len() as u64);
            }
            Subscribed::Gap(_) if self.config.remembered.is_some() && self.config.assigned => {
                // A merged number can make a gap false.
                assert!(
                    matches!(expected, Answer::Gap | Answer::Resumed(_)),
                    "{expected:?}"
                );
                answer = Answer::Gap;
            }
            Subscribed::Gap(_) => assert_eq!(expected, Answer::Gap, "{id:?} for {kind}"),
            Subscribed::Unknown(_) => assert_eq!(expected, Answer::Unknown, "{id:?} for {kind}"),
            Subscribed::Ahead(_) => assert_eq!(expected, Answer::Ahead, "{id:?} for {kind}"),
        }
        let (owed, is_told, place) = match answer {
            Answer::Live => (Vec::new(), false, head),
            Answer::Resumed(cursor) => (sees(cursor), false, cursor),
            _ if oldest => (sees(0), true, self.model.oldest),
            _ => (Vec::new(), true, head),
        };
        if let (Answer::Resumed(_), Some((before, seen)), false) = (answer, from, self.rewound) {
            if before == kind {
                // After a frame without an id, a client comes back with the id before.
                let has_id = |number: &u64| self.model.frame(*number).id.is_some();
                let twice = owed.iter().find(|one| has_id(one) && seen.contains(one));
                assert_eq!(twice, None, "a frame comes twice");
            }
        }
        let subscription = if oldest {
            subscribed.or_oldest(&reset())
        } else {
            subscribed.or_live(&reset())
        };
        // What tells has the id of the place, unless a frame for the client is before it.
        let tells = is_told.then(|| {
            let first = owed.first().copied().unwrap_or(head);
            let mut event = reset();
            if let Some(id) = self.model.id_before(first) {
                event = event.with_id(EventId::new(id).unwrap());
            }
            as_text(&event.to_bytes())
        });
        self.readers.push(Some(Reader::new(
            kind,
            Body::Live(subscription),
            own,
            owed,
            tells,
            place,
        )));
    }

    fn add_topic(&mut self, at: u8, name: &'static str) {
        let head = self.model.head();
        let id = self.model.id_before(head);
        let key = id.as_deref().map(number_in);
        let Some(reader) = self.reader(at) else {
            return;
        };
        let told = reader.handle.add_topic(name).expect("it is short");
        assert_eq!(told.map(|id| id.to_string()), id);
        if reader.is_counted() && !reader.topics.contains_key(name) {
            reader.topics.insert(name.to_owned(), head);
            if reader.has_pages {
                reader.added.insert(name.to_owned(), key);
            }
        }
    }

    fn remove_topic(&mut self, at: u8, name: &'static str) {
        let Some(mut reader) = self.readers.get_mut(usize::from(at)).and_then(Option::take) else {
            return;
        };
        let had = reader.is_counted() && reader.topics.contains_key(name);
        assert_eq!(reader.handle.remove_topic(name), had);
        if had {
            reader.topics.remove(name);
            reader.added.remove(name);
            let model = &self.model;
            reader
                .owed
                .retain(|number| model.frame(*number).topic.as_deref() != Some(name));
        }
        self.readers[usize::from(at)] = Some(reader);
    }

    fn send_away(&mut self, at: u8, farewell: bool) {
        let Some(reader) = self.reader(at) else {
            return;
        };
        let frame = farewell.then(|| Frame::new(&Event::message("bye")));
        assert_eq!(reader.handle.close(frame), reader.is_counted());
        if reader.is_counted() {
            reader.detach(CloseReason::SentAway, farewell);
            assert_eq!(now(reader.handle.closed()), Some(CloseReason::SentAway));
            let wakes = reader.wakes.take();
            assert!(wakes == 1 || !reader.pending || reader.woken);
            reader.woken = true;
        }
    }

    fn hold(&mut self, kind: u8) {
        if self.readers.len() > 40 {
            return;
        }
        let held = self.broadcast.hold(&options(kind));
        let own = topics(kind)
            .iter()
            .map(|name| ((*name).to_owned(), 0))
            .collect();
        let place = self.model.head();
        self.readers.push(Some(Reader::new(
            kind,
            Body::Held(held),
            own,
            Vec::new(),
            None,
            place,
        )));
    }

    fn hold_again(&mut self, at: u8) {
        let Some(mut reader) = self.readers.get_mut(usize::from(at)).and_then(Option::take) else {
            return;
        };
        reader.body = match reader.body {
            Body::Live(subscription) => {
                let can = reader.end.is_none()
                    || reader.end == Some(CloseReason::Overflow) && reader.has_pages;
                let Some(held) = subscription.hold() else {
                    assert!(!can);
                    return;
                };
                assert!(can);
                reader.end = None;
                reader.has_pages = true;
                reader.owed.clear();
                reader.tells = None;
                reader.pending = false;
                Body::Held(held)
            }
            held @ Body::Held(_) => held,
        };
        self.readers[usize::from(at)] = Some(reader);
    }

    fn join(&mut self, at: u8, which: WhichId) {
        let id = self.which(which).unwrap_or_default();
        let Some(mut reader) = self.readers.get_mut(usize::from(at)).and_then(Option::take) else {
            return;
        };
        let asked = EventId::new(id.clone()).unwrap();
        let found = self.model.find(&id).ok().filter(|number| {
            let lost =
                (number + 1..self.model.oldest).any(|lost| self.model.sees(&reader.topics, lost));
            !lost
        });
        let Body::Held(held) = reader.body else {
            self.readers[usize::from(at)] = Some(reader);
            return;
        };
        let is_counted = reader.end.is_none() && reader.detached.is_none();
        reader.body = match held.join(&asked) {
            Ok(subscription) => {
                if is_counted {
                    let number = found.expect("it is in the log");
                    let numbers = (number + 1).max(self.model.oldest)..self.model.head();
                    let owed = numbers.filter(|one| self.model.sees(&reader.topics, *one));
                    reader.owed = owed.collect();
                    reader.place = number + 1;
                    // The caller says what it has.
                    reader.seen.clear();
                }
                Body::Live(subscription)
            }
            Err(held) => {
                assert!(is_counted, "it ends");
                // A merged number can make a gap false; a place at the head is after all of them.
                let can_be_false = self.config.remembered.is_some() && self.config.assigned;
                let is_last = found.is_some_and(|number| number + 1 == self.model.head());
                assert!(
                    found.is_none() || can_be_false && !is_last,
                    "{id} is in the log"
                );
                Body::Held(held)
            }
        };
        self.readers[usize::from(at)] = Some(reader);
    }

    fn reach(&mut self, which: WhichId) {
        let Some(id) = self.which(which) else { return };
        let found = self.model.find(&id);
        let ahead = match id.split_once('-') {
            Some((_, number)) if self.config.assigned => {
                let text = format!("{EPOCH}-{number}");
                let number = number
                    .parse()
                    .ok()
                    .filter(|_| text == id && !(number.len() > 1 && number.starts_with('0')));
                number.is_some_and(|number: u64| number >= self.model.head())
            }
            _ if self.config.assigned => false,
            _ => key(&id).is_some_and(|key| {
                key < u128::MAX && (!self.has_ids() || key > self.model.last_key())
            }),
        };
        let expected = match found {
            Ok(_) => Some(Arrival::In),
            Err(_) if !ahead => Some(Arrival::Passed),
            Err(_) if self.model.closed => Some(Arrival::Closed),
            Err(_) => None,
        };
        let reached = self.broadcast.reached(&EventId::new(id.clone()).unwrap());
        self.awaited.push((id, Box::pin(reached), expected));
    }

    /// Notes what becomes of the ids that are waited for.
    fn arrive(&mut self, arrival: impl Fn(&str) -> Option<Arrival>) {
        for (id, _, expected) in &mut self.awaited {
            if expected.is_none() {
                *expected = arrival(id);
            }
        }
    }

    fn rewind(&mut self, which: WhichId) {
        let id = self.which(which).unwrap_or_default();
        let found = self.model.find(&id).ok().filter(|_| !self.config.assigned);
        // Frames without an id may be lost after the last id before the log.
        let rewinds = self.broadcast.rewind(&EventId::new(id).unwrap());
        assert_eq!(rewinds, found.is_some());
        let Some(number) = found else { return };
        self.rewound = true;
        self.model.rewind(number);
        let last = self.model.id_before(number + 1);
        let last = last.as_deref().map(number_in);
        for reader in self.readers.iter_mut().flatten() {
            for since in reader.topics.values_mut() {
                *since = (*since).min(number + 1);
            }
            for key in reader.added.values_mut() {
                *key = (*key).min(last);
            }
            let stands_after = reader.place > number + 1;
            reader.owed.retain(|one| *one <= number);
            if stands_after && reader.is_counted() {
                reader.detach(CloseReason::Rewound, false);
            }
        }
        self.all_are_woken(|reader| reader.detached == Some(CloseReason::Rewound));
        self.arrive(|_| Some(Arrival::Rewound));
    }

    fn reset(&mut self, origin: Option<u8>) {
        let id = origin.map(|origin| u128::from(origin).to_string());
        let asked = id.clone().map(|id| EventId::new(id).unwrap());
        let result = self.broadcast.reset(asked.as_ref());
        if self.config.assigned && origin.is_some() {
            assert_eq!(result, Err(PublishError::AssignsIds));
            return;
        }
        assert_eq!(result, Ok(()));
        self.rewound = true;
        self.model.reset(id);
        for reader in self.readers.iter_mut().flatten() {
            if reader.is_counted() {
                reader.detach(CloseReason::Rewound, false);
            }
        }
        self.all_are_woken(|reader| reader.detached == Some(CloseReason::Rewound));
        self.arrive(|_| Some(Arrival::Rewound));
    }
}

/// The key of an id of the broadcast.
fn number_in(id: &str) -> u128 {
    let number = id.split_once('-').map_or(id, |(_, number)| number);
    number.parse().expect("digits")
}

/// What a future resolves to, if it does now.
pub(super) fn now<T>(mut future: impl Future<Output = T> + Unpin) -> Option<T> {
    match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a text")
}
