//! A target whose stream is in a stack of adapters: its handles, those who wait for room in it, and
//! all that they are told.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use sse_proto::target::{
    CloseReason, Dispatch, DispatchError, Dispatched, Local, LocalEventStream, On, Permit, Shared,
    Sharing, channel_with, local_channel_with,
};
use sse_proto::{Event, EventType, Frame, Target};

use super::fakes::Wakes;
use super::play::{Message, Rules};

/// How many may wait for room at a time.
pub const SLOTS: usize = 4;

/// The type of the events that a listener cancels.
pub const NEVER: &str = "never";

/// What is asked of a target beside its stream. Who is asked is a number below [`SLOTS`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Dispatch(Message),
    /// A frame, which no listener hears.
    Queue(Message),
    Comment(u8),
    /// Gives the slot up, and asks for room.
    Reserve(usize, usize),
    /// Gives the slot up, and sends once there is room.
    Send(usize, Message),
    /// Asks again.
    Again(usize),
    /// Sends through a permit.
    Use(usize, Message),
    UseForFrame(usize, Message),
    /// Drops who waits, or the permit.
    GiveUp(usize),
    Mark(bool),
    /// Adds a listener that cancels [`NEVER`].
    Listen,
    End(CloseReason),
    Clone,
    DropHandle,
}

#[derive(Debug, PartialEq)]
pub enum Outcome {
    Nothing,
    Sent(Result<Dispatched, DispatchError>),
    /// Bytes of room.
    Reserved(Poll<Result<usize, DispatchError>>),
    Sends(Poll<Result<Dispatched, DispatchError>>),
}

/// All that can be seen of a target but its bytes.
#[derive(Debug, PartialEq)]
pub struct Seen {
    /// What the close listener was told, and what the `closed()` future gives.
    pub told: Vec<CloseReason>,
    pub closed: Option<CloseReason>,
    pub closed_wakes: usize,
    /// How often who waits in each slot was woken.
    pub wakes: [usize; SLOTS],
    /// What a handle says, while there is one.
    pub says: Option<Says>,
}

#[derive(Debug, PartialEq)]
pub struct Says {
    pub reason: Option<CloseReason>,
    /// Frames queued, their bytes, and how many were dropped.
    pub counts: (usize, usize, usize),
    pub is_drained: bool,
}

/// A target of either form.
pub trait Origin {
    fn obey(&mut self, command: &Command) -> Outcome;
    fn see(&mut self) -> Seen;
}

pub struct Open<S: Sharing> {
    handles: Vec<Target<S>>,
    slots: [Slot<S>; SLOTS],
    listen: fn(&Target<S>),
    told: Told,
    closed: Pin<Box<dyn Future<Output = CloseReason>>>,
    closed_wakes: Arc<Wakes>,
    closed_woken: usize,
}

type Told = Arc<Mutex<Vec<CloseReason>>>;

enum Slot<S: Sharing> {
    Free,
    Waits(Reserves<S>, Arc<Wakes>, usize),
    Sends(Sends, Arc<Wakes>, usize),
    Holds(Permit<S>),
}

type Reserves<S> = Pin<Box<dyn Future<Output = Result<Permit<S>, DispatchError>>>>;
type Sends = Pin<Box<dyn Future<Output = Result<Dispatched, DispatchError>>>>;

pub fn shared(rules: Rules) -> (Open<Shared>, sse_proto::EventStream) {
    let (target, stream) = channel_with(rules.limits());
    let told = Told::default();
    let tell = Arc::clone(&told);
    target.on_close(move |reason| tell.lock().unwrap().push(reason));
    let listen = |target: &Target| {
        let on = On::event_type(&EventType::from_static(NEVER));
        target.listen(on, cancel);
    };
    (Open::new(rules, target, told, listen), stream)
}

pub fn local(rules: Rules) -> (Open<Local>, LocalEventStream) {
    let (target, stream) = local_channel_with(rules.limits());
    let told = Told::default();
    let tell = Arc::clone(&told);
    target.on_close(move |reason| tell.lock().unwrap().push(reason));
    let listen = |target: &Target<Local>| {
        let on = On::event_type(&EventType::from_static(NEVER));
        target.listen(on, cancel);
    };
    (Open::new(rules, target, told, listen), stream)
}

impl<S: Sharing> Open<S> {
    fn new(rules: Rules, target: Target<S>, told: Told, listen: fn(&Target<S>)) -> Self {
        let set = target.set_gap_marker(rules.marked.then(marker));
        set.expect("it has no id");
        let mut open = Self {
            closed: Box::pin(target.closed()),
            handles: vec![target],
            slots: [const { Slot::Free }; SLOTS],
            listen,
            told,
            closed_wakes: Wakes::new(),
            closed_woken: 0,
        };
        assert_eq!(open.poll_closed(), Poll::Pending);
        open
    }

    fn poll_closed(&mut self) -> Poll<CloseReason> {
        let waker = self.closed_wakes.waker();
        Pin::new(&mut self.closed).poll(&mut Context::from_waker(&waker))
    }

    /// Asks for room, or again.
    fn ask(&mut self, who: usize, mut reserve: Reserves<S>, wakes: Arc<Wakes>) -> Outcome {
        wakes.take();
        let task = wakes.waker();
        let polled = Pin::new(&mut reserve).poll(&mut Context::from_waker(&task));
        assert_eq!(wakes.take(), 0, "a poll wakes nobody");
        Outcome::Reserved(match polled {
            Poll::Pending => {
                self.slots[who] = Slot::Waits(reserve, wakes, 0);
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(permit)) => {
                let room = permit.room();
                self.slots[who] = Slot::Holds(permit);
                Poll::Ready(Ok(room))
            }
        })
    }

    /// Sends, or asks again whether it is sent.
    fn send(&mut self, who: usize, mut sends: Sends, wakes: Arc<Wakes>) -> Outcome {
        wakes.take();
        let task = wakes.waker();
        let polled = sends.as_mut().poll(&mut Context::from_waker(&task));
        assert_eq!(wakes.take(), 0, "a poll wakes nobody");
        if polled.is_pending() {
            self.slots[who] = Slot::Sends(sends, wakes, 0);
        }
        Outcome::Sends(polled)
    }

    fn take_permit(&mut self, who: usize) -> Option<Permit<S>> {
        match std::mem::replace(&mut self.slots[who], Slot::Free) {
            Slot::Holds(permit) => Some(permit),
            other => {
                self.slots[who] = other;
                None
            }
        }
    }

    fn say(&self) -> Option<Says> {
        let target = self.handles.first()?;
        assert_eq!(target.is_closed(), target.close_reason().is_some());
        let counts = (
            target.queued_frames(),
            target.queued_bytes(),
            target.dropped_frames(),
        );
        Some(Says {
            reason: target.close_reason(),
            counts,
            is_drained: target.is_drained(),
        })
    }

    fn obey_through_a_handle(&mut self, command: &Command) -> Option<Outcome> {
        let target = self.handles.first()?;
        match command {
            Command::Dispatch(message) => {
                let sent = message.with_event(|event| target.dispatch(event));
                return Some(Outcome::Sent(sent));
            }
            Command::Queue(message) => {
                let sent = target.dispatch_frame(&message.with_event(Frame::new));
                return Some(Outcome::Sent(sent.map(|()| Dispatched::Sent)));
            }
            Command::Comment(len) => {
                let sent = target.dispatch_comment(&"x".repeat(usize::from(*len)));
                return Some(Outcome::Sent(sent.map(|()| Dispatched::Sent)));
            }
            Command::Reserve(who, len) => {
                let reserve = Box::pin(target.reserve(*len));
                self.slots[*who] = Slot::Free;
                return Some(self.ask(*who, reserve, Wakes::new()));
            }
            Command::Send(who, message) => {
                let (target, message) = (target.clone(), *message);
                let sends = async move {
                    let event = message.with_event(|event| event.clone().into_owned());
                    target.send(&event).await
                };
                self.slots[*who] = Slot::Free;
                return Some(self.send(*who, Box::pin(sends), Wakes::new()));
            }
            Command::Mark(marked) => {
                let set = target.set_gap_marker(marked.then(marker));
                set.expect("it has no id");
            }
            Command::Listen => (self.listen)(target),
            Command::End(CloseReason::Failed) => target.fail("broken"),
            Command::End(CloseReason::Closed) => target.close(),
            Command::End(CloseReason::Aborted) => target.abort(),
            Command::End(other) => unreachable!("no handle ends it so: {other:?}"),
            Command::Clone => self.handles.push(target.clone()),
            Command::DropHandle => _ = self.handles.pop(),
            _ => return None,
        }
        Some(Outcome::Nothing)
    }
}

impl<S: Sharing> Origin for Open<S> {
    fn obey(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Again(who) => {
                match std::mem::replace(&mut self.slots[*who], Slot::Free) {
                    Slot::Waits(reserve, wakes, _) => return self.ask(*who, reserve, wakes),
                    Slot::Sends(sends, wakes, _) => return self.send(*who, sends, wakes),
                    other => self.slots[*who] = other,
                }
                Outcome::Nothing
            }
            Command::Use(who, message) => match self.take_permit(*who) {
                Some(permit) => Outcome::Sent(message.with_event(|event| permit.dispatch(event))),
                None => Outcome::Nothing,
            },
            Command::UseForFrame(who, message) => match self.take_permit(*who) {
                Some(permit) => {
                    let sent = permit.dispatch_frame(&message.with_event(Frame::new));
                    Outcome::Sent(sent.map(|()| Dispatched::Sent))
                }
                None => Outcome::Nothing,
            },
            Command::GiveUp(who) => {
                self.slots[*who] = Slot::Free;
                Outcome::Nothing
            }
            _ => self
                .obey_through_a_handle(command)
                .unwrap_or(Outcome::Nothing),
        }
    }

    fn see(&mut self) -> Seen {
        self.closed_woken += self.closed_wakes.take();
        let closed = match self.poll_closed() {
            Poll::Ready(reason) => Some(reason),
            Poll::Pending => None,
        };
        let wakes = self.slots.each_mut().map(|slot| match slot {
            Slot::Waits(_, wakes, woken) | Slot::Sends(_, wakes, woken) => {
                *woken += wakes.take();
                *woken
            }
            Slot::Free | Slot::Holds(_) => 0,
        });
        Seen {
            told: self.told.lock().unwrap().clone(),
            closed,
            closed_wakes: self.closed_woken,
            wakes,
            says: self.say(),
        }
    }
}

fn cancel(dispatch: &Dispatch<'_>) {
    dispatch.prevent_default();
}

fn marker() -> Frame {
    Frame::new(&Event::message("gap"))
}
