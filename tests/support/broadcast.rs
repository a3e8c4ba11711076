//! Plays on a broadcast and on its model: each subscriber gets exactly what the model says, is woken
//! when there is something, and a client that comes back misses nothing and has nothing twice.

mod check;

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use sse_proto::broadcast::{PublishError, Retention, Scope, Subscribed};
use sse_proto::deps::futures_core::stream::{FusedStream, Stream};
use sse_proto::target::CloseReason;
use sse_proto::{Broadcast, Event, EventId, EventType, Frame, Subscription};

use super::broadcast_model::{Answer, Config, EPOCH, Model};
use super::broadcast_ops::{KINDS, Op, SCOPES, TYPES, WhichId, options, sees, takes};
use super::fakes::Wakes;
use super::law::law;

/// The law of this file.
pub fn plays_like_its_model(config: Config, ops: &[Op]) {
    let _law = law(
        "6, 8, 10, 12: each subscriber of a broadcast gets what a plain list says",
        format!("{config:?} {ops:?}"),
    );
    let mut play = Play::new(config);
    for op in ops {
        play.step(*op);
        play.check_statistics();
    }
    // Poll to the end, so that every frame that is owed comes.
    play.step(Op::Close { farewell: true });
    for at in 0..play.readers.len() {
        let at = u8::try_from(at).unwrap();
        while play.reader(at).is_some_and(|reader| reader.end.is_none()) {
            play.step(Op::Poll(at));
        }
    }
    assert_eq!(play.broadcast.statistics().subscribers, 0);
}

const BYE: &str = "data: bye\n\n";

/// One subscriber, and what its client knows.
struct Reader {
    kind: u8,
    subscription: Subscription,
    /// The number of the next frame it reads.
    cursor: u64,
    last_id: Option<String>,
    /// The number of the frame that set it, or after which its place is.
    last_id_at: u64,
    /// The number of the last frame that came.
    last: u64,
    wakes: Arc<Wakes>,
    pending: bool,
    woken: bool,
    end: Option<CloseReason>,
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
            .with_max_frames(config.frames)
            .with_max_bytes(config.bytes)
            .with_remembered_ids(config.remembered);
        if let Some(age) = config.age {
            retention = retention.with_max_age(Duration::from_secs(u64::from(age)));
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
            // Mostly a new one.
            2..12 => Some(format!("n{}", self.model.head())),
            id => Some(format!("r{id}")),
        };
        if let Some(id) = &id {
            event = event.with_id(EventId::new(id.clone()).unwrap());
        }
        let scope = SCOPES[usize::from(scope) % 3];
        let shared = scope.map(Scope::new);
        let as_frame = as_frame && !self.config.assigned;
        let result = match (&shared, as_frame) {
            (None, false) => self.broadcast.publish(&event),
            (None, true) => self.broadcast.publish_frame(&Frame::new(&event), None),
            (Some(scope), false) => self.broadcast.publish_for(scope, &event),
            (Some(scope), true) => self
                .broadcast
                .publish_frame(&Frame::new(&event), Some(scope)),
        };
        let id = if self.config.assigned {
            let id = format!("{EPOCH}-{}", self.model.head());
            event = event.with_id(EventId::new(id.clone()).unwrap());
            Some(id)
        } else {
            id
        };
        let wire = as_text(&event.to_bytes());
        let (len, limit) = (wire.len(), self.config.bytes);
        if self.model.closed {
            // Either of the two reasons may be told.
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

    /// Each subscriber that returned `Pending` is woken, once.
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
        let id = id.map(|id| EventId::new(id).unwrap());
        let subscribed = self.broadcast.subscribe_with(id.as_ref(), &options(kind));
        let head = self.model.head();
        let answer = match &subscribed {
            Subscribed::Live(_) => Answer::Live,
            Subscribed::Resumed { missed, .. } => Answer::Resumed(head - missed),
            Subscribed::Gap(_) => Answer::Gap,
            Subscribed::Unknown(_) => Answer::Unknown,
        };
        assert_eq!(answer, expected, "{id:?} for {kind}");
        let cursor = match answer {
            Answer::Resumed(cursor) => cursor,
            Answer::Gap | Answer::Unknown if oldest => self.model.oldest,
            _ => head,
        };
        if let (Answer::Resumed(_), Some((before, last, last_id_at)), true) =
            (answer, from, self.config.assigned)
        {
            // A resumed client gets all frames that are for it and that it lacks, and no others.
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
        frame.scope.is_none_or(|scope| sees(kind, scope)) && takes(kind, frame.event_type)
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
            polled.map(|chunk| chunk.map(|chunk| as_text(&chunk))),
        );
        assert_eq!(reader.subscription.close_reason(), reader.end);
        assert_eq!(reader.subscription.is_terminated(), reader.end.is_some());
        self.readers[usize::from(at)] = Some(reader);
    }
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a text")
}
