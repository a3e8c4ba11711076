//! Plays on a merged stream: both parts keep their order, nothing is lost, a personal event comes
//! after all frames that were published before its dispatch, the stream ends when either part does,
//! and nothing follows an abort or a lag.

use std::task::Poll;

use sse_proto::broadcast::{Handle, Key, Merged, Retention};
use sse_proto::deps::bytes::Bytes;
use sse_proto::target::{CloseReason, Limits, channel_with};
use sse_proto::{Broadcast, Event, EventType, Frame, Target};

use super::broadcast::now;
use super::broadcast_model::EPOCH;
use super::broadcast_ops::{TYPES, len, number, options, takes, topic, topics};
use super::fakes::Reader;
use super::input::Input;
use super::law::law;

/// What is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub assigned: bool,
    /// How many frames are retained.
    pub frames: usize,
    /// What the subscriber sees and takes: an index into [`KINDS`].
    pub kind: u8,
}

/// The kinds of subscribers that do not skip ahead.
const KINDS: [u8; 6] = [0, 1, 2, 3, 4, 7];

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Publish { event_type: u8, topic: u8, len: u16 },
    Dispatch { len: u16 },
    Poll,
    Close,
    Abort,
    CloseBroadcast { farewell: bool },
}

/// Letters: `a` (ids are assigned) or another, frames in steps of 16, kind; then `p` type topic length,
/// `o` length for a personal event, `c` and `x` to close and abort the target, `b` and `f` to close the
/// broadcast without and with a farewell; another polls.
pub fn read(data: &[u8]) -> (Setup, Vec<Step>) {
    let mut input = Input(data);
    let setup = Setup {
        assigned: input.byte() == b'a',
        frames: usize::from(number(&mut input)) * 16 + 1,
        kind: number(&mut input),
    };
    let mut steps = Vec::new();
    while !input.is_empty() && steps.len() < 300 {
        steps.push(match input.byte() {
            b'p' => Step::Publish {
                event_type: number(&mut input),
                topic: number(&mut input),
                len: len(&mut input),
            },
            b'o' => Step::Dispatch {
                len: len(&mut input),
            },
            b'c' => Step::Close,
            b'x' => Step::Abort,
            b'b' => Step::CloseBroadcast { farewell: false },
            b'f' => Step::CloseBroadcast { farewell: true },
            _ => Step::Poll,
        });
    }
    (setup, steps)
}

/// The law of this file.
pub fn merges_like_its_parts(setup: Setup, steps: &[Step]) {
    let _law = law(
        "6, 8, 10: a merged stream is what its two parts are",
        format!("{setup:?} {steps:?}"),
    );
    let mut play = Play::new(setup);
    for step in steps {
        play.step(*step);
    }
    play.step(Step::CloseBroadcast { farewell: true });
    while !play.seen.has_ended {
        play.poll();
    }
    assert_eq!(play.merged.poll(), Poll::Ready(None));
    assert_eq!(play.broadcast.statistics().subscribers, 0);
    play.check_wire();
}

struct Play {
    kind: u8,
    assigned: bool,
    broadcast: Broadcast,
    handle: Handle,
    frames: usize,
    /// How many frames were published, the numbers of those that the subscriber sees, and how many of
    /// these it has read.
    count: usize,
    visible: Vec<usize>,
    read: usize,
    target: Target,
    merged: Reader<Merged>,
    wire: Vec<u8>,
    /// How many frames for the subscriber were published, and how many before each dispatch.
    published: usize,
    dispatched: Vec<usize>,
    /// How many of those must come: all that were published before one of the two was closed.
    owed: Option<usize>,
    farewell: bool,
    waits: bool,
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    /// It lags, and what was due before came.
    lagged: bool,
    /// Nothing may follow, not even what was owed.
    is_cut: bool,
    has_ended: bool,
}

impl Play {
    fn new(setup: Setup) -> Self {
        let kind = KINDS[usize::from(setup.kind) % KINDS.len()];
        let retention = Retention::new(setup.frames, 64 << 20);
        let broadcast = if setup.assigned {
            Broadcast::with_epoch(retention, EPOCH)
        } else {
            Broadcast::with_key(retention, Key::number())
        };
        let limits = Limits::new().with_max_bytes(64 << 20);
        let (target, stream) = channel_with(limits);
        let subscription = broadcast.subscribe_with(None, &options(kind));
        let subscription = subscription.or_live_untold();
        Self {
            kind,
            assigned: setup.assigned,
            target,
            handle: subscription.handle(),
            frames: setup.frames,
            count: 0,
            visible: Vec::new(),
            read: 0,
            merged: Reader::new(subscription.merge(stream)),
            broadcast,
            wire: Vec::new(),
            published: 0,
            dispatched: Vec::new(),
            owed: None,
            farewell: false,
            waits: false,
            seen: Seen::default(),
        }
    }

    fn step(&mut self, step: Step) {
        let was_closed = self.target.is_closed();
        match step {
            Step::Poll => return self.poll(),
            Step::Publish {
                event_type,
                topic,
                len,
            } => {
                // A publication wakes those who get it, and nobody else.
                if !self.publish(event_type, topic, len) {
                    return;
                }
            }
            Step::Dispatch { len } => {
                let number = self.dispatched.len() + 1;
                let data = format!("own {number} {}", "x".repeat(len.into()));
                let sent = self.target.dispatch_message(&data);
                assert_eq!(sent.is_ok(), !was_closed, "there is room for all");
                if was_closed {
                    return;
                }
                self.dispatched.push(self.published);
            }
            Step::Close => {
                self.target.close();
                self.owed.get_or_insert(self.published);
            }
            Step::Abort => {
                // After the end an abort drops nothing.
                let cuts = !self.target.is_drained();
                self.target.abort();
                self.seen.is_cut |= cuts;
            }
            Step::CloseBroadcast { farewell } => {
                if self.broadcast.is_closed() {
                    return;
                }
                let bye = Frame::new(&Event::message("bye"));
                self.broadcast.close(farewell.then_some(bye));
                self.farewell = farewell;
                self.owed.get_or_insert(self.published);
            }
        }
        // A target that is closed already wakes no task again.
        if std::mem::take(&mut self.waits) {
            assert!(self.merged.wakes.take() > 0, "a wake is lost");
        }
    }

    /// Returns whether the subscriber sees the frame.
    fn publish(&mut self, event_type: u8, number: u8, len: u16) -> bool {
        let count = self.published + 1;
        let mut event = Event::message(format!("all {count} {}", "x".repeat(len.into())));
        let event_type = TYPES[usize::from(event_type) % 3];
        if let Some(event_type) = event_type {
            event = event.with_event_type(EventType::from_static(event_type));
        }
        let topic = topic(number, 0);
        let published = match &topic {
            None => self.broadcast.publish(&event),
            Some(topic) => self.broadcast.publish_to(topic, &event),
        };
        let has = topic.is_none_or(|topic| topics(self.kind).contains(&&*topic));
        let Ok(number) = published else {
            return false;
        };
        self.count = usize::try_from(number).unwrap();
        if !has {
            return false;
        }
        self.visible.push(self.count);
        self.published += usize::from(takes(self.kind, event_type));
        true
    }

    /// Returns whether a frame that the subscriber has not read was dropped.
    fn lags(&self) -> bool {
        let oldest = (self.count + 1).saturating_sub(self.frames);
        let is_open = now(self.handle.closed()).is_none();
        is_open
            && self
                .visible
                .get(self.read)
                .is_some_and(|next| *next < oldest)
    }

    fn poll(&mut self) {
        let lags = self.lags();
        let polled = self.merged.poll();
        if !lags {
            let waiting = usize::try_from(self.handle.lag()).unwrap();
            self.read = self.visible.len() - waiting;
        }
        // What was due before it lagged is taken first.
        let is_due = |chunk: &Option<Bytes>| {
            let chunk = chunk.as_deref().unwrap_or_default();
            chunk.starts_with(b"data: own") && lags && !self.seen.lagged
        };
        if matches!(&polled, Poll::Ready(chunk) if !self.seen.is_cut && is_due(chunk)) {
            self.seen.lagged = true;
        } else if self.seen.is_cut || lags {
            assert_eq!(polled, Poll::Ready(None), "something follows the end");
            self.seen.is_cut = true;
            if lags && self.owed.is_none() {
                assert!(matches!(
                    self.target.close_reason(),
                    Some(CloseReason::Overflow | CloseReason::Aborted)
                ));
            }
        }
        match polled {
            Poll::Ready(Some(chunk)) => {
                assert!(!self.seen.has_ended);
                self.wire.extend_from_slice(&chunk);
            }
            Poll::Ready(None) => {
                let is_over = self.target.is_closed();
                assert!(is_over, "it ended by itself");
                self.seen.has_ended = true;
            }
            Poll::Pending => {
                let comes_back = self.merged.wakes.take() > 0;
                let is_over = self.target.is_closed() || self.broadcast.is_closed();
                assert!(comes_back || !is_over, "it hangs");
                self.waits = !comes_back;
            }
        }
    }

    fn check_wire(&self) {
        let wire = std::str::from_utf8(&self.wire).expect("a text");
        let (mut shared, mut own, mut ended) = (0, 0, false);
        for block in wire.split_terminator("\n\n") {
            assert!(!ended, "something follows the farewell");
            let data = block.lines().find_map(|line| line.strip_prefix("data: "));
            let data = data.expect("each has data");
            let mut words = data.split(' ');
            let (what, number) = (words.next(), words.next());
            let number = number.and_then(|number| number.parse::<usize>().ok());
            match what {
                Some("all") => {
                    shared += 1;
                    assert_eq!(number, Some(shared));
                }
                Some("own") => {
                    let before = self.dispatched[own];
                    assert!(before <= shared, "{own} stands in front of {shared}");
                    own += 1;
                    assert_eq!(number, Some(own));
                }
                _ => {
                    assert_eq!(block, "data: bye");
                    ended = true;
                }
            }
        }
        assert!(!ended || self.farewell, "a farewell of nobody's");
        if !self.seen.is_cut {
            assert!(
                shared >= self.owed.unwrap_or(0),
                "{shared} of {:?}",
                self.owed
            );
            assert_eq!(own, self.dispatched.len());
        }
    }
}
