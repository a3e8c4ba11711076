//! A client as a stream: the driver's loop, over any function that opens a connection, and any timer.

use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::event_source::EventSource;
use super::output::{Closed, Down, Output};
use super::request::Request;
use super::response::Response;
use super::state::State;
use crate::timer::Timer;
use crate::wire::decode::{DecodeError, OwnedItem};

/// How much one poll does where nothing comes of it, before it lets others run. A body that is always ready must not
/// hold its thread for ever, and neither may a timer that rings at once.
const MAX_TURNS: u32 = 32;

/// What an [`EventSourceStream`] yields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update<E> {
    /// The stream is open.
    Opened,
    /// An event, or what else the server said.
    Item(OwnedItem),
    /// An event passed a limit and is lost; the stream goes on, unless its limits say to end there.
    TooLarge(DecodeError),
    /// What the connection failed with. What follows from it comes next.
    Error(E),
    /// The connection is lost; another one follows by itself.
    Down(Down),
    /// It has ended for good; the stream ends here.
    Closed(Closed),
}

pin_project! {
    /// Yields events, reconnecting by itself: an [`EventSource`] with its driver.
    ///
    /// It takes a function from a [`Request`] to a future of the [`Response`] and the body, a stream of chunks; a
    /// [`Timer`]; and a clock, which tells the time since any fixed moment. It starts at the first poll, opens one
    /// connection at a time, holds one chunk of its body, and drops all of it as it goes down. Poll it where the runtime
    /// of these futures runs; it brings none. What panics, the function, its future, its body or the timer, unwinds to who
    /// polls; polled again, it goes on as if the connection had failed. A clock that panics changes nothing.
    ///
    /// A function that sends anything but a GET needs a source that knows of it, made by [`EventSource::for_method`]: else a
    /// POST is sent again each time its answer ends. For an answer that can't be resumed,
    /// [`DecodeStream`](crate::decode::DecodeStream) over the body of the one response is the right tool.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::pin::pin;
    /// use std::time::{Duration, Instant};
    /// use futures::StreamExt;
    /// use sse_proto::client::{EventSourceStream, Options, Request, Response, Update};
    /// use sse_proto::EventSource;
    ///
    /// // Stands for an HTTP client: one event, then none any more.
    /// let open = async |request: Request| {
    ///     let body: &[u8] = b"id: 1\ndata: hello\n\n";
    ///     let (status, body) = if request.last_event_id() == Some("1") { (204, &[][..]) } else { (200, body) };
    ///     let response = Response::new(status).with_content_type(b"text/event-stream");
    ///     Ok::<_, std::io::Error>((response, futures::stream::iter([Ok(body)])))
    /// };
    /// // `tokio::time::sleep`, in earnest.
    /// let timer = |duration| async move { std::thread::sleep(duration) };
    /// let started = Instant::now();
    ///
    /// let options = Options::standard().with_delay_bounds(Duration::ZERO, Duration::from_millis(1));
    /// let source = EventSource::new("http://127.0.0.1:8000/events", options, 0);
    /// let updates = pin!(EventSourceStream::new(source, open, timer, move || started.elapsed()));
    /// let updates: Vec<_> = futures::executor::block_on(updates.collect());
    /// let [Update::Opened, Update::Item(_), Update::Down(_), Update::Closed(closed)] = &updates[..] else {
    ///     panic!("{updates:?}");
    /// };
    /// assert_eq!(closed.reason.to_string(), "the server answered 204");
    /// ```
    pub struct EventSourceStream<O, F, S, B, T: Timer, C> {
        source: EventSource,
        open: O,
        timer: T,
        clock: C,
        #[pin]
        opening: Option<F>,
        #[pin]
        body: Option<S>,
        chunk: Option<B>,
        // How much of the chunk is decoded.
        at: usize,
        #[pin]
        sleep: Option<T::Sleep>,
        // When the sleep is over, on the clock.
        wakes_at: Duration,
        // Foreign code runs, or has panicked.
        is_within_turn: bool,
        has_ended: bool,
    }
}

impl<O, F, S, B, E, T, C> EventSourceStream<O, F, S, B, T, C>
where
    O: FnMut(Request) -> F,
    F: Future<Output = Result<(Response, S), E>>,
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    T: Timer,
    C: FnMut() -> Duration,
{
    /// Drives `source`, and starts it if it is not. A connection that was begun elsewhere is given up as failed.
    ///
    /// What `open` sends is sent again by what `source` knows of the [method](Request::method): a POST for a source made by
    /// [`EventSource::new`] is repeated each time its answer ends.
    pub fn new(source: EventSource, open: O, timer: T, clock: C) -> Self {
        Self {
            source,
            open,
            timer,
            clock,
            opening: None,
            body: None,
            chunk: None,
            at: 0,
            sleep: None,
            wakes_at: Duration::ZERO,
            is_within_turn: false,
            has_ended: false,
        }
    }
}

impl<O, F, S, B, T: Timer, C> EventSourceStream<O, F, S, B, T, C> {
    /// Returns the client, to look at its state and to save its last event ID.
    pub fn source(&self) -> &EventSource {
        &self.source
    }

    /// Returns the client, to close it, to reconnect it, or to tell of the network. Poll the stream afterwards: that takes
    /// effect there, and nobody is woken for it.
    pub fn source_mut(self: Pin<&mut Self>) -> &mut EventSource {
        self.project().source
    }
}

impl<O, F, S, B, E, T, C> Stream for EventSourceStream<O, F, S, B, T, C>
where
    O: FnMut(Request) -> F,
    F: Future<Output = Result<(Response, S), E>>,
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    T: Timer,
    C: FnMut() -> Duration,
{
    type Item = Update<E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update<E>>> {
        for _ in 0..MAX_TURNS {
            let mut this = self.as_mut().project();
            if *this.has_ended {
                return Poll::Ready(None);
            }
            // Before anything is taken, so that a clock that panics takes nothing along.
            let now = (this.clock)();
            if mem::replace(this.is_within_turn, true) {
                // Foreign code has panicked: what of it is left can't be polled again, and has become a failed connection.
                this.opening.set(None);
                this.body.set(None);
                this.sleep.set(None);
                *this.chunk = None;
            }
            let turn = self.as_mut().turn(now, context);
            *self.as_mut().project().is_within_turn = false;
            if let Some(polled) = turn {
                return polled;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<O, F, S, B, E, T, C> EventSourceStream<O, F, S, B, T, C>
where
    O: FnMut(Request) -> F,
    F: Future<Output = Result<(Response, S), E>>,
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    T: Timer,
    C: FnMut() -> Duration,
{
    /// Tells or takes one thing; `None` if there may be more.
    fn turn(
        mut self: Pin<&mut Self>,
        now: Duration,
        context: &mut Context<'_>,
    ) -> Option<Poll<Option<Update<E>>>> {
        let mut this = self.as_mut().project();
        let tell = |update| Some(Poll::Ready(Some(update)));

        // What is to be told and done, before anything new comes in.
        this.source.start(now);
        if let Some(output) = this.source.poll_output() {
            match output {
                Output::Request(request) => {
                    let opening = (this.open)(request);
                    this.opening.set(Some(opening));
                    return None;
                }
                Output::Abort => {
                    this.opening.set(None);
                    this.body.set(None);
                    *this.chunk = None;
                    return None;
                }
                Output::Opened => return tell(Update::Opened),
                Output::Down(down) => return tell(Update::Down(down)),
                Output::Closed(closed) => {
                    *this.has_ended = true;
                    this.sleep.set(None);
                    return tell(Update::Closed(closed));
                }
            }
        }
        let is_in_flight = matches!(this.source.state(), State::Connecting | State::Open);
        if is_in_flight && this.opening.is_none() && this.body.is_none() {
            // A panic took the connection along, or whoever started the source before it came here.
            this.source.handle_error(now);
            return None;
        }

        // The connection, unless something of its last chunk is left.
        let mut has_moved = false;
        if this.chunk.is_none() {
            if let Some(opening) = this.opening.as_mut().as_pin_mut() {
                if let Poll::Ready(opened) = opening.poll(context) {
                    this.opening.set(None);
                    match opened {
                        Ok((response, body)) => {
                            this.body.set(Some(body));
                            this.source.handle_response(now, response);
                            return None;
                        }
                        Err(error) => {
                            this.source.handle_error(now);
                            return tell(Update::Error(error));
                        }
                    }
                }
            }
            if let Some(body) = this.body.as_mut().as_pin_mut() {
                match body.poll_next(context) {
                    Poll::Ready(Some(Ok(chunk))) => {
                        *this.at = 0;
                        *this.chunk = Some(chunk);
                    }
                    Poll::Ready(Some(Err(error))) => {
                        this.body.set(None);
                        this.source.handle_error(now);
                        return tell(Update::Error(error));
                    }
                    Poll::Ready(None) => {
                        this.body.set(None);
                        this.source.handle_end(now);
                        return None;
                    }
                    Poll::Pending => {}
                }
            }
        }
        if let Some(chunk) = this.chunk {
            has_moved = true;
            let bytes = chunk.as_ref();
            // A chunk that changes its length between two looks is no reason to panic.
            let mut input = bytes.get(*this.at..).unwrap_or_default();
            let step = this.source.handle_bytes_owned(now, &mut input);
            *this.at = bytes.len().saturating_sub(input.len());
            if input.is_empty() {
                *this.chunk = None;
            }
            match step {
                Some(Ok(item)) => return tell(Update::Item(item)),
                Some(Err(error)) => return tell(Update::TooLarge(error)),
                None => {}
            }
        }

        self.wait(now, has_moved, context)
    }

    /// Looks at the time; also behind a chunk, since chunks without bytes put no timeout off.
    fn wait(
        self: Pin<&mut Self>,
        now: Duration,
        has_moved: bool,
        context: &mut Context<'_>,
    ) -> Option<Poll<Option<Update<E>>>> {
        let mut this = self.project();
        let deadline = this.source.next_deadline();
        if deadline.is_some_and(|deadline| deadline <= now) {
            this.source.handle_deadline(now);
            return None;
        }
        if has_moved {
            return None;
        }
        let Some(deadline) = deadline else {
            this.sleep.set(None);
            return Some(Poll::Pending);
        };
        // A deadline that moves on with every byte need not make a new sleep each time: the old one rings too early.
        if this.sleep.is_none() || deadline < *this.wakes_at {
            let sleep = this.timer.sleep(deadline.saturating_sub(now));
            this.sleep.set(Some(sleep));
            *this.wakes_at = deadline;
        }
        let sleep = this.sleep.as_mut().as_pin_mut();
        if sleep.is_none_or(|sleep| sleep.poll(context).is_pending()) {
            return Some(Poll::Pending);
        }
        this.sleep.set(None);
        None
    }
}

impl<O, F, S, B, E, T, C> FusedStream for EventSourceStream<O, F, S, B, T, C>
where
    O: FnMut(Request) -> F,
    F: Future<Output = Result<(Response, S), E>>,
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    T: Timer,
    C: FnMut() -> Duration,
{
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<O, F, S, B, T: Timer, C> fmt::Debug for EventSourceStream<O, F, S, B, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSourceStream")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
