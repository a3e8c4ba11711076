//! Plays on a broadcast and on its model: each subscriber gets exactly what the model says, is woken
//! when there is something, and a client that comes back misses nothing and has nothing twice.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sse_proto::futures_core::stream::{FusedStream, Stream};
use sse_proto::{
    Broadcast, Event, EventId, EventType, Frame, PublishError, Retention, Scope, Subscribed,
    Subscription, SubscriptionEnd, to_bytes,
};

use super::broadcast_model::{Answer, Config, EPOCH, Model};
use super::broadcast_ops::{
    KINDS, Op, SCOPES, TYPES, WhichId, id_after, lost, options, sees, skips, takes,
};
use super::fakes::Wakes;

/// The law of this file.
pub fn plays_like_its_model(config: Config, ops: &[Op]) {
    let mut play = Play::new(config);
    for op in ops {
        play.step(*op);
        play.check_statistics();
    }
    // To the end, so that all that is owed comes.
    play.step(Op::Close { farewell: true });
    for at in 0..play.readers.len() {
        let at = u8::try_from(at).unwrap();
        while play.reader(at).is_some_and(|reader| reader.end.is_none()) {
            play.step(Op::Poll(at));
        }
    }
    assert_eq!(play.broadcast.statistics().subscribers, 0);
}

const BYE: &[u8] = b"data: bye\n\n";
/// One subscriber, and what its client knows.
struct Reader {
    kind: u8,
    subscription: Subscription,
    /// The number of the next frame it reads.
    cursor: u64,
    last_id: Option<String>,
    /// The number of the frame that set it, or behind which it stands.
    last_id_at: u64,
    /// The number of the last frame that came.
    last: u64,
    wakes: Arc<Wakes>,
    pending: bool,
    woken: bool,
    end: Option<SubscriptionEnd>,
}

struct Play {
    config: Config,
    broadcast: Broadcast,
    model: Model,
    readers: Vec<Option<Reader>>,
    farewell: bool,
    lagged: u64,
}

impl Play {
    fn new(config: Config) -> Self {
        let mut retention = Retention::new()
            .with_frames(config.frames)
            .with_bytes(config.bytes)
            .with_remembered_ids(config.remembered);
        if let Some(age) = config.age {
            retention = retention.with_age(Duration::from_secs(u64::from(age)));
        }
        let broadcast = if config.assigned {
            Broadcast::assigning_ids(retention, EPOCH)
        } else {
            Broadcast::new(retention)
        };
        Self {
            config,
            broadcast,
            model: Model::new(config),
            readers: Vec::new(),
            farewell: false,
            lagged: 0,
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Publish {
                event_type,
                id,
                scope,
                len,
                as_frame,
            } => self.publish(event_type, id, scope, len, as_frame),
            Op::Subscribe { kind, id, oldest } => self.subscribe(kind % KINDS, id, oldest),
            Op::Poll(at) => self.poll(at),
            Op::Move(at) => {
                if let Some(reader) = self.reader(at) {
                    reader.wakes = Wakes::new();
                    reader.pending = false;
                }
            }
            Op::Drop(at) => {
                if let Some(place) = self.readers.get_mut(usize::from(at)) {
                    *place = None;
                }
            }
            Op::Advance(seconds) => {
                self.model.advance(seconds);
                self.broadcast.advance(self.model.now());
            }
            Op::Close { farewell } => {
                let frame = farewell.then(|| Frame::new(&Event::message("bye")));
                self.broadcast.close(frame);
                if !self.model.closed {
                    self.model.closed = true;
                    self.farewell = farewell;
                    self.all_are_woken();
                }
            }
        }
    }

    fn reader(&mut self, at: u8) -> Option<&mut Reader> {
        self.readers.get_mut(usize::from(at))?.as_mut()
    }

    fn publish(&mut self, event_type: u8, id: u8, scope: u8, len: u16, as_frame: bool) {
        let mut event = Event::message("x".repeat(usize::from(len)));
        let event_type = TYPES[usize::from(event_type) % 3];
        if let Some(event_type) = event_type {
            event = event.with_event_type(EventType::from_static(event_type));
        }
        let id = match id {
            _ if self.config.assigned => None,
            0 => None,
            1 => Some(String::new()),
            // Mostly one that is new.
            2..12 => Some(format!("n{}", self.model.head())),
            id => Some(format!("r{id}")),
        };
        if let Some(id) = &id {
            event = event.with_id(EventId::try_from(id.clone()).unwrap());
        }
        let scope = SCOPES[usize::from(scope) % 3];
        let shared = scope.map(Scope::new);
        let as_frame = as_frame && !self.config.assigned;
        let result = match (&shared, as_frame) {
            (None, false) => self.broadcast.publish(&event),
            (None, true) => self.broadcast.publish_frame(&Frame::new(&event)),
            (Some(scope), false) => self.broadcast.publish_for(scope, &event),
            (Some(scope), true) => self.broadcast.publish_frame_for(scope, &Frame::new(&event)),
        };
        let id = if self.config.assigned {
            let id = format!("{EPOCH}-{}", self.model.head());
            event = event.with_id(EventId::try_from(id.clone()).unwrap());
            Some(id)
        } else {
            id
        };
        let wire = to_bytes(&event).to_vec();
        let (len, limit) = (wire.len(), self.config.bytes);
        if self.model.closed {
            // Which of two reasons is told is not said.
            assert!(result == Err(PublishError::Closed) || len > limit);
            assert!(result.is_err());
        } else if len > limit {
            assert_eq!(result, Err(PublishError::TooLarge { len, limit }));
        } else {
            assert_eq!(result, Ok(self.model.head()));
            self.model.publish(wire, event_type, id, scope);
            self.all_are_woken();
        }
    }

    /// Whoever was told `Pending` is woken, once.
    fn all_are_woken(&mut self) {
        for reader in self.readers.iter_mut().flatten() {
            let wakes = reader.wakes.take();
            assert!(wakes <= 1, "woken {wakes} times");
            if reader.pending && !reader.woken {
                assert_eq!(wakes, 1, "a wake is lost");
                reader.woken = true;
            }
        }
    }

    fn subscribe(&mut self, kind: u8, which: WhichId, oldest: bool) {
        if self.readers.len() > 40 {
            return;
        }
        let mut from = None;
        let id = match which {
            WhichId::None => None,
            WhichId::Last(at) => self.reader(at).and_then(|reader| {
                from = Some((reader.kind, reader.last, reader.last_id_at));
                reader.last_id.clone()
            }),
            WhichId::Back(back) => {
                let number = self.model.head().checked_sub(u64::from(back) + 1);
                let number = number.filter(|number| *number > 0);
                number.and_then(|number| self.model.frame(number).id.clone())
            }
            WhichId::Made(number) => {
                let made = [
                    "", "7-0", "7-0~", "7-1~", "7-3", "7-9~", "7-03", "8-1", "7-", "-1",
                ];
                let made = made.get(usize::from(number)).copied();
                Some(made.map_or_else(|| format!("r{number}"), String::from))
            }
        };
        let expected = self.model.answer(id.as_deref(), |scope| sees(kind, scope));
        let id = id.map(|id| EventId::try_from(id).unwrap());
        let subscribed = self.broadcast.subscribe_with(id.as_ref(), &options(kind));
        let head = self.model.head();
        let answer = match &subscribed {
            Subscribed::Live(_) => Answer::Live,
            Subscribed::Resumed { missed, .. } => Answer::Resumed(head - missed),
            Subscribed::Gap(_) => Answer::Gap,
            Subscribed::Unknown(_) => Answer::Unknown,
        };
        assert_eq!(answer, expected, "{id:?} for {kind}");
        if let Subscribed::Gap(restart) | Subscribed::Unknown(restart) = &subscribed {
            let first = self.model.retained().next();
            let first = first.filter(|frame| frame.scope.is_none_or(|scope| sees(kind, scope)));
            let first = first.and_then(|frame| frame.id.as_deref());
            let first = first.map(|id| EventId::new(id).unwrap());
            assert_eq!(restart.oldest_id(), first.as_ref());
        }
        let cursor = match answer {
            Answer::Resumed(cursor) => cursor,
            Answer::Gap | Answer::Unknown if oldest => self.model.oldest,
            _ => head,
        };
        if let (Answer::Resumed(_), Some((before, last, last_id_at)), true) =
            (answer, from, self.config.assigned)
        {
            // The law of resuming: of what is the client's, all that it does not have, and no more.
            if before == kind {
                let first = |from: u64| (from..head).find(|&number| self.is_theirs(kind, number));
                assert_eq!(first(cursor), first(last.max(last_id_at) + 1));
            }
        }
        let subscription = if oldest {
            subscribed.or_oldest()
        } else {
            subscribed.or_live()
        };
        self.readers.push(Some(Reader {
            kind,
            subscription,
            cursor,
            last_id: None,
            last_id_at: cursor - 1,
            last: cursor - 1,
            wakes: Wakes::new(),
            pending: false,
            woken: false,
            end: None,
        }));
    }

    fn is_theirs(&self, kind: u8, number: u64) -> bool {
        let frame = self.model.frame(number);
        frame.scope.is_none_or(|scope| sees(kind, scope))
            && takes(kind, frame.event_type, frame.wire.len())
    }

    fn poll(&mut self, at: u8) {
        let Some(mut reader) = self.readers.get_mut(usize::from(at)).and_then(Option::take) else {
            return;
        };
        reader.wakes.take();
        let waker = reader.wakes.waker();
        let polled = Pin::new(&mut reader.subscription).poll_next(&mut Context::from_waker(&waker));
        assert_eq!(reader.wakes.take(), 0, "a poll wakes nobody");
        reader.pending = polled.is_pending();
        reader.woken = false;
        self.check_poll(
            &mut reader,
            polled.map(|chunk| chunk.map(|chunk| chunk.to_vec())),
        );
        assert_eq!(reader.subscription.end(), reader.end);
        assert_eq!(reader.subscription.is_terminated(), reader.end.is_some());
        self.readers[usize::from(at)] = Some(reader);
    }

    fn check_poll(&mut self, reader: &mut Reader, polled: Poll<Option<Vec<u8>>>) {
        let (head, oldest) = (self.model.head(), self.model.oldest);
        if reader.end.is_some() {
            assert_eq!(polled, Poll::Ready(None), "an ended stream stays ended");
            return;
        }
        if reader.cursor < oldest {
            self.lagged += 1;
            if skips(reader.kind) {
                let marker = to_bytes(&lost(oldest - reader.cursor)).to_vec();
                assert_eq!(polled, Poll::Ready(Some(marker)));
                reader.cursor = oldest;
                // What is lost did not go by.
                reader.last_id_at = oldest - 1;
            } else {
                assert_eq!(polled, Poll::Ready(None));
                reader.end = Some(SubscriptionEnd::Lagged);
            }
            return;
        }
        let first = reader.cursor;
        let has_ended = reader.subscription.is_terminated();
        let chunk = match polled {
            Poll::Ready(Some(chunk)) if !has_ended => chunk,
            polled => {
                // Nothing of theirs was left.
                let nothing = (first..head).all(|number| !self.is_theirs(reader.kind, number));
                assert!(nothing, "{polled:?} with frames to read");
                reader.cursor = head;
                match polled {
                    Poll::Pending => assert!(!self.model.closed, "it has not ended"),
                    Poll::Ready(last) => {
                        assert!(self.model.closed, "it ended, or gave something of nothing");
                        assert_eq!(last, self.farewell.then(|| BYE.to_vec()));
                        reader.end = Some(SubscriptionEnd::Closed);
                    }
                }
                self.check_id_is_near(reader);
                return;
            }
        };
        self.check_chunk(reader, &chunk);
        reader.cursor = head - reader.subscription.lag();
        assert!(reader.cursor > first && reader.cursor <= head);
        let skipped = reader.last.max(first - 1) + 1..reader.cursor;
        for number in skipped {
            assert!(
                !self.is_theirs(reader.kind, number),
                "{number} was left out"
            );
        }
        let waited: usize = (first..head)
            .map(|number| self.model.frame(number).wire.len())
            .sum();
        if reader.kind == 0 && waited == chunk.len() {
            assert_eq!(reader.cursor, head);
        }
    }

    /// A chunk is whole frames of theirs, in order, none left out; in between, ids of what was not.
    fn check_chunk(&self, reader: &mut Reader, chunk: &[u8]) {
        let head = self.model.head();
        let mut rest = chunk;
        let mut from = reader.cursor;
        while !rest.is_empty() {
            let next = (from..head).find(|&number| self.is_theirs(reader.kind, number));
            let frame = next.map(|number| (number, self.model.frame(number)));
            if let Some((number, frame)) = frame.filter(|(_, one)| rest.starts_with(&one.wire)) {
                rest = &rest[frame.wire.len()..];
                if let Some(id) = &frame.id {
                    reader.last_id = Some(id.clone());
                    reader.last_id_at = number;
                }
                reader.last = number;
                from = number + 1;
                continue;
            }
            // Of one that recurs, the first: it may have gone out for that.
            let mut between = reader.last_id_at + 1..next.unwrap_or(head);
            let found = between.find_map(|number| {
                let (id, block) = self.id_block(reader.kind, number)?;
                rest.starts_with(block.as_bytes())
                    .then_some((number, id, block.len()))
            });
            let Some((number, id, len)) = found else {
                panic!("{:?} for {}", String::from_utf8_lossy(rest), reader.kind);
            };
            rest = &rest[len..];
            reader.last_id = Some(id);
            reader.last_id_at = number;
            from = from.max(number + 1);
        }
    }

    /// The id that one of this kind may be told of a frame that is not theirs.
    fn id_block(&self, kind: u8, number: u64) -> Option<(String, String)> {
        let frame = self.model.frame(number);
        let is_visible = frame.scope.is_none_or(|scope| sees(kind, scope));
        let id = match (&frame.id, is_visible) {
            (Some(id), true) => id.clone(),
            _ if self.config.assigned => format!("{EPOCH}-{number}~"),
            _ => return None,
        };
        let block = format!("id: {id}\n\n");
        Some((id, block))
    }

    /// So many frames that were not theirs have not gone by since the last id.
    fn check_id_is_near(&self, reader: &Reader) {
        if self.config.assigned && reader.cursor == self.model.head() {
            let passed = reader.cursor - 1 - reader.last_id_at;
            assert!(
                passed < id_after(reader.kind),
                "{passed} frames without an id for {}",
                reader.kind
            );
        }
    }

    fn check_statistics(&self) {
        let statistics = self.broadcast.statistics();
        let readers = || {
            let readers = self.readers.iter().flatten();
            readers.filter(|reader| reader.end.is_none())
        };
        let lags = |reader: &&Reader| reader.cursor < self.model.oldest;
        let (head, oldest) = (self.model.head(), self.model.oldest);
        let behind = readers().filter(|reader| !lags(reader));
        let behind = behind.map(|reader| head - reader.cursor).max();
        assert_eq!(statistics.subscribers, readers().count());
        assert_eq!(statistics.lagging, readers().filter(lags).count());
        assert_eq!(statistics.most_behind, behind.unwrap_or(0));
        assert_eq!(statistics.lagged, self.lagged);
        assert_eq!(statistics.published, head - 1);
        assert_eq!(statistics.dropped, oldest - 1);
        assert_eq!(statistics.retained_frames as u64, head - oldest);
        assert_eq!(
            statistics.retained_bytes,
            self.model.retained_bytes() as u64
        );
        for reader in readers() {
            assert_eq!(reader.subscription.lag(), head - reader.cursor);
        }
    }
}
