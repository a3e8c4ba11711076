//! A target with all that can wait for it, and the plain model of who is woken.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use sse_proto::target::{CloseReason, DispatchError, Limits, Permit, Sharing};
use sse_proto::{Event, EventStream, Frame, Target};

use crate::support::model::drops_queue;
use crate::task::Task;

/// How many bytes count as one: about half of the frames are so large that each is a chunk of its own,
/// so that a poll gives back the room of a few frames and not of all.
pub(crate) const SCALE: usize = 200;

fn frame(value: u8) -> Frame {
    let len = usize::from(value) % 40 * SCALE;
    Frame::new(&Event::message("x".repeat(len)))
}

/// A future that waits.
type Waits<T> = Pin<Box<dyn Future<Output = T>>>;

/// One who waits for room.
struct Place<S: Sharing> {
    reserve: Waits<Result<Permit<S>, DispatchError>>,
    task: Task,
    len: usize,
    /// Has room that it has not fetched.
    served: bool,
}

/// What there is, the real things beside what the model knows of them.
pub(crate) struct World<S: Sharing> {
    frames: usize,
    bytes: usize,
    handles: Vec<Target<S>>,
    stream: Option<EventStream<S>>,
    reader: Task,
    line: VecDeque<Place<S>>,
    permits: Vec<(usize, Permit<S>)>,
    closed: Vec<(Waits<CloseReason>, Task)>,
    queue: VecDeque<usize>,
    reason: Option<CloseReason>,
    /// Wakers that were replaced, and must stay silent.
    retired: Vec<Task>,
}

impl<S: Sharing> World<S> {
    pub(crate) fn new(
        (frames, bytes): (usize, usize),
        open: fn(Limits) -> (Target<S>, EventStream<S>),
    ) -> Self {
        let limits = Limits::new().with_max_frames(frames).with_max_bytes(bytes);
        let (target, stream) = open(limits);
        Self {
            frames,
            bytes,
            handles: vec![target],
            stream: Some(stream),
            reader: Task::default(),
            line: VecDeque::new(),
            permits: Vec::new(),
            closed: Vec::new(),
            queue: VecDeque::new(),
            reason: None,
            retired: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, choice: u8, value: u8) {
        let at = usize::from(value) / 8;
        match choice % 16 {
            0..=2 => self.dispatch(&frame(value)),
            3..=5 => self.poll(value),
            6 | 7 => self.reserve(usize::from(value) % 70 * SCALE),
            8 | 9 => self.poll_reserve(at, value),
            10 => self.leave(at),
            11 => self.use_permit(at, value),
            12 => self.drop_permit(at),
            13 => self.handles_come_and_go(value),
            14 => self.closed(value),
            _ => self.end(value),
        }
        self.reader.check();
        self.closed.iter().for_each(|(_, task)| task.check());
        self.line.iter().for_each(|place| place.task.check());
        self.retired.iter().for_each(Task::check);
    }

    /// Whoever still waits at the end does so because there is nothing for it.
    pub(crate) fn check_end(&self) {
        if self.reader.waits {
            assert!(self.queue.is_empty() && self.reason.is_none());
        }
    }

    fn has_room(&self, len: usize) -> bool {
        let served = || self.line.iter().filter(|place| place.served);
        let frames = self.queue.len() + self.permits.len() + served().count();
        let queued: usize = self.queue.iter().sum();
        let held: usize = self.permits.iter().map(|(len, _)| len).sum();
        let bytes = queued + held + served().map(|place| place.len).sum::<usize>();
        frames < self.frames && bytes + len <= self.bytes
    }

    fn somebody_waits(&self) -> bool {
        self.line.iter().any(|place| !place.served)
    }

    /// Gives room to those in front.
    fn serve(&mut self) {
        if self.reason.is_some() {
            return;
        }
        for at in 0..self.line.len() {
            if self.line[at].served {
                continue;
            }
            if !self.has_room(self.line[at].len) {
                break;
            }
            self.line[at].served = true;
            self.line[at].task.wake();
        }
    }

    fn ended(&mut self, reason: CloseReason) {
        if drops_queue(reason) {
            self.queue.clear();
        }
        if self.reason.is_some() {
            return;
        }
        self.reason = Some(reason);
        self.reader.wake();
        for (_, task) in &mut self.closed {
            task.wake();
        }
        for place in &mut self.line {
            place.task.wake();
        }
    }

    fn admits(&self, len: usize) -> Result<(), DispatchError> {
        if let Some(reason) = self.reason {
            return Err(DispatchError::Closed(reason));
        }
        let limit = self.bytes;
        if len > limit {
            return Err(DispatchError::TooLarge { len, limit });
        }
        if self.somebody_waits() || !self.has_room(len) {
            return Err(DispatchError::Full);
        }
        Ok(())
    }

    fn dispatch(&mut self, frame: &Frame) {
        let Some(target) = self.handles.last() else {
            return;
        };
        let outcome = target.dispatch_frame(frame);
        let len = frame.as_bytes().len();
        assert_eq!(outcome, self.admits(len));
        if outcome.is_ok() {
            self.queue.push_back(len);
            self.reader.wake();
        }
    }

    fn poll(&mut self, value: u8) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        if value % 4 == 0 {
            // Another task polls from now on.
            let mut old = std::mem::take(&mut self.reader);
            old.waits = false;
            self.retired.push(old);
        }
        let waker = self.reader.waker();
        let polled = Pin::new(stream).poll_next(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(Some(chunk)) => {
                let mut taken = chunk.len();
                while taken > 0 {
                    taken -= self.queue.pop_front().expect("it is queued");
                }
                self.serve();
            }
            Poll::Ready(None) => assert!(self.reason.is_some() && self.queue.is_empty()),
            Poll::Pending => {
                assert!(self.reason.is_none() && self.queue.is_empty());
                self.reader.waits = true;
            }
        }
    }

    fn reserve(&mut self, len: usize) {
        let Some(target) = self.handles.last() else {
            return;
        };
        let mut reserve: Waits<_> = Box::pin(target.reserve(len));
        let mut task = Task::default();
        let waker = task.waker();
        let polled = reserve.as_mut().poll(&mut Context::from_waker(&waker));
        match (polled, self.admits(len)) {
            (Poll::Ready(Ok(permit)), Ok(())) => self.permits.push((len, permit)),
            (Poll::Ready(Err(error)), Err(expected)) => assert_eq!(error, expected),
            (Poll::Pending, Err(DispatchError::Full)) => {
                task.waits = true;
                let served = false;
                self.line.push_back(Place {
                    reserve,
                    task,
                    len,
                    served,
                });
            }
            (polled, expected) => panic!("{polled:?}, but {expected:?}"),
        }
    }

    fn poll_reserve(&mut self, at: usize, value: u8) {
        let Some(place) = self.line.get_mut(at) else {
            return;
        };
        if value % 2 == 0 {
            let mut old = std::mem::take(&mut place.task);
            old.waits = false;
            self.retired.push(old);
        }
        let waker = place.task.waker();
        let polled = place
            .reserve
            .as_mut()
            .poll(&mut Context::from_waker(&waker));
        match (polled, self.reason) {
            (Poll::Ready(Err(error)), Some(reason)) => {
                assert_eq!(error, DispatchError::Closed(reason));
                self.retire(at);
            }
            (Poll::Ready(Ok(permit)), None) => {
                assert!(place.served);
                let len = place.len;
                // Counted as a permit from here on.
                self.retire(at);
                self.permits.push((len, permit));
            }
            (Poll::Pending, None) => {
                assert!(!place.served);
                place.task.waits = true;
            }
            (polled, reason) => panic!("{polled:?}, {reason:?}"),
        }
    }

    fn retire(&mut self, at: usize) {
        let place = self.line.remove(at).expect("it is in line");
        self.retired.push(place.task);
    }

    fn leave(&mut self, at: usize) {
        if at < self.line.len() {
            let place = self.line.remove(at).expect("it is in line");
            drop(place.reserve);
            self.retired.push(place.task);
            self.serve();
            self.no_handles();
        }
    }

    fn use_permit(&mut self, at: usize, value: u8) {
        if at >= self.permits.len() {
            return;
        }
        let (limit, permit) = self.permits.swap_remove(at);
        let frame = frame(value);
        let len = frame.as_bytes().len();
        let expected = match self.reason {
            Some(reason) => Err(DispatchError::Closed(reason)),
            None if len > limit => Err(DispatchError::TooLarge { len, limit }),
            None => Ok(()),
        };
        let outcome = permit.dispatch_frame(&frame);
        assert_eq!(outcome, expected);
        if outcome.is_ok() {
            self.queue.push_back(len);
            self.reader.wake();
        }
        self.serve();
        self.no_handles();
    }

    fn drop_permit(&mut self, at: usize) {
        if at < self.permits.len() {
            drop(self.permits.swap_remove(at));
            self.serve();
            self.no_handles();
        }
    }

    fn handles_come_and_go(&mut self, value: u8) {
        if value < 200 {
            self.handles.extend(self.handles.last().cloned());
        } else if self.handles.len() > 1 || value > 250 {
            self.handles.pop();
            self.no_handles();
        }
    }

    /// The last of all that keep the target open may have gone.
    fn no_handles(&mut self) {
        if self.handles.is_empty() && self.permits.is_empty() && self.line.is_empty() {
            self.ended(CloseReason::HandlesDropped);
        }
    }

    fn closed(&mut self, value: u8) {
        if value % 2 == 0 {
            if let Some(target) = self.handles.last() {
                self.closed
                    .push((Box::pin(target.closed()), Task::default()));
            }
        } else if value % 8 == 1 {
            if let Some((_, task)) = self.closed.pop() {
                self.retired.push(task);
            }
        } else if let Some((closed, task)) = self.closed.last_mut() {
            let waker = task.waker();
            let polled = Pin::new(closed).poll(&mut Context::from_waker(&waker));
            assert_eq!(polled.is_ready(), self.reason.is_some());
            task.waits = polled.is_pending();
            if let Poll::Ready(reason) = polled {
                assert_eq!(Some(reason), self.reason);
            }
        }
    }

    fn end(&mut self, value: u8) {
        // Ends are rare, or nothing would happen before them.
        let reason = match value {
            0..=7 => CloseReason::Closed,
            8..=11 => CloseReason::Aborted,
            12..=19 => {
                if self.stream.take().is_some() {
                    self.ended(CloseReason::ClientGone);
                }
                return;
            }
            _ => return,
        };
        if let Some(target) = self.handles.last() {
            match reason {
                CloseReason::Closed => target.close(),
                _ => target.abort(),
            }
            self.ended(reason);
        }
    }
}
