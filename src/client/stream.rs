//! A client as a stream: it runs the driver's loop, with any function that opens a connection and
//! any timer.

use alloc::boxed::Box;
use core::error::Error;
use core::future::Future;
use core::mem;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::event_source::EventSource;
#[cfg(feature = "std")]
use super::handle::{Command, Commands, Handle};
use super::output::{Loss, LossReason, Output};
use super::request::Request;
use super::response::Response;
use crate::timer::Timer;
use crate::wire::decode::events::pick;
use crate::wire::decode::{DecodeError, Events, OwnedItem, OwnedMessageEvent};

/// Without a lock, no handle can reach the stream.
#[cfg(not(feature = "std"))]
type Commands = ();

/// The maximum number of steps without an item in one poll. Then other tasks run, so that a body
/// that is always ready or a timer that fires at once cannot block its thread.
const MAX_TURNS: u32 = 32;

/// The result of a step. `Break` ends it, with an update if it has one; another step may follow at
/// once. `Continue` means that there was nothing to do: the poll is pending.
type Step = ControlFlow<Option<Update>>;

/// An item of an [`EventSourceStream`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Update {
    /// The stream is open.
    Opened,
    /// An event, or another item that the server sent.
    Item(OwnedItem),
    /// An event exceeded a limit and is lost. The stream continues, unless
    /// [`DecodeLimits::with_end_at_limit`](crate::decode::DecodeLimits::with_end_at_limit) is set.
    TooLarge(DecodeError),
    /// The connection is lost, and another one follows. If it failed, the error is the
    /// [`source`](core::error::Error::source) of the loss.
    Lost(Loss),
    /// The client is closed for good, and the stream ends here.
    Closed(Loss),
}

/// Opens the connections of an [`EventSourceStream`]. Every function with these bounds implements
/// it:
///
/// ```text
/// FnMut(Request) -> Opening
///     where Opening: Future<Output = Result<(Response, Body), Error>>,
///           Body: Stream<Item = Result<Chunk, Error>>,
///           Chunk: AsRef<[u8]>,
///           Error: Into<Box<dyn core::error::Error + Send + Sync>>
/// ```
pub trait Connect {
    #[doc(hidden)]
    type Error: Into<Box<dyn Error + Send + Sync>>;
    #[doc(hidden)]
    type Opening: Future<Output = Result<(Response, Self::Body), Self::Error>>;
    #[doc(hidden)]
    type Body: Stream<Item = Result<Self::Chunk, Self::Error>>;
    #[doc(hidden)]
    type Chunk: AsRef<[u8]>;

    #[doc(hidden)]
    fn connect(&mut self, request: Request) -> Self::Opening;
}

impl<C, O, B, T, E> Connect for C
where
    C: FnMut(Request) -> O,
    O: Future<Output = Result<(Response, B), E>>,
    B: Stream<Item = Result<T, E>>,
    T: AsRef<[u8]>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Error = E;
    type Opening = O;
    type Body = B;
    type Chunk = T;

    fn connect(&mut self, request: Request) -> O {
        self(request)
    }
}

pin_project! {
    /// Yields events, and reconnects by itself: an [`EventSource`] with its driver.
    ///
    /// It takes a function that [connects](Connect), a [`Timer`] and a clock, and starts at the
    /// first poll. It opens one connection at a time and holds at most one chunk of its body. When
    /// the connection is lost, it drops both. It has no runtime of its own: poll it in the runtime
    /// that the futures of the function need.
    ///
    /// After 32 steps without an update, such as chunks that complete no item, a poll returns
    /// `Pending` and wakes its own task, so that other tasks can run.
    ///
    /// A panic of the function, its future, its body or the timer unwinds to the caller of the
    /// poll. The next poll continues as if the connection had failed. A panic of the clock changes
    /// no state.
    ///
    /// A function that sends any other method than GET needs a source with
    /// [`EventSource::with_method`]. Otherwise a POST is sent again each time its answer ends. If an
    /// answer can't be resumed, use [`DecodeStream`](crate::decode::DecodeStream) over the body of
    /// its response instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::pin::pin;
    /// use std::time::Duration;
    /// use futures::StreamExt;
    /// use sse_proto::EventSource;
    /// use sse_proto::client::{EventSourceStream, Options, Request, Response, Update};
    ///
    /// // Stands in for an HTTP client: one event, then 204.
    /// let connect = async |request: Request| {
    ///     let (status, body) = match request.last_event_id() {
    ///         Some("1") => (204, ""),
    ///         _ => (200, "id: 1\ndata: hello\n\n"),
    ///     };
    ///     let response = Response::from_headers(status, [("content-type", "text/event-stream")]);
    ///     Ok::<_, std::io::Error>((response, futures::stream::iter([Ok(body)])))
    /// };
    /// // In production, use `tokio::time::sleep`.
    /// let timer = |duration| async move { std::thread::sleep(duration) };
    /// let options = Options::standard().with_delay_bounds(Duration::ZERO, Duration::from_millis(1));
    /// let source = EventSource::new("http://127.0.0.1:8000/events", options);
    /// let stream = EventSourceStream::new(source, connect, timer);
    /// let updates: Vec<_> = futures::executor::block_on(pin!(stream).collect());
    /// let [Update::Opened, Update::Item(_), Update::Lost(_), Update::Closed(loss)] = &updates[..] else {
    ///     panic!("{updates:?}");
    /// };
    /// assert_eq!(loss.to_string(), "the server answered 204");
    /// ```
    pub struct EventSourceStream<C: Connect, T: Timer, N> {
        source: EventSource,
        commands: Commands,
        connect: C,
        timer: T,
        clock: N,
        #[pin]
        opening: Option<C::Opening>,
        #[pin]
        body: Option<C::Body>,
        chunk: Option<C::Chunk>,
        // How much of the chunk is decoded.
        at: usize,
        #[pin]
        sleep: Option<T::Sleep>,
        // The time at which the sleep ends.
        wakes_at: Duration,
        // True during a step; it stays true if the caller's code panics there.
        is_within_turn: bool,
        has_ended: bool,
    }
}

#[cfg(all(
    feature = "std",
    not(all(target_family = "wasm", target_os = "unknown"))
))]
impl<C: Connect, T: Timer> EventSourceStream<C, T, fn() -> Duration> {
    /// Drives `source` over `connect`, with the runtime's timer, such as `tokio::time::sleep`, and
    /// the clock of `std`.
    ///
    /// On `wasm32-unknown-unknown`, where `std` has no clock, use
    /// [`with_clock`](Self::with_clock).
    pub fn new<O>(source: EventSource, connect: C, timer: T) -> Self
    where
        // This bound repeats `Connect`, so that a closure can leave out the type of its argument.
        C: FnMut(Request) -> O,
    {
        static STARTED: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        Self::with_clock(source, connect, timer, || {
            STARTED.get_or_init(std::time::Instant::now).elapsed()
        })
    }
}

impl<C: Connect, T: Timer, N: FnMut() -> Duration> EventSourceStream<C, T, N> {
    /// Does what `new` does, with a clock of the caller's: the time since any fixed moment.
    pub fn with_clock<O>(source: EventSource, connect: C, timer: T, clock: N) -> Self
    where
        C: FnMut(Request) -> O,
    {
        Self {
            source,
            commands: Commands::default(),
            connect,
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

    /// Returns the client, for example to read its last event ID.
    pub fn source(&self) -> &EventSource {
        &self.source
    }

    /// Returns the events and the errors alone: skips comments, reconnection times, ids without
    /// data, the event that [starts](crate::event::START) a stream, and the reports of connections
    /// that opened, or were lost and follow again.
    ///
    /// An error is an event that exceeded a limit, with
    /// [`TooLarge`](super::LossReason::TooLarge), or the reason for which the client closed. The
    /// stream ends without an error if the caller closed the client, if the server answered 204, or
    /// after the whole answer to a request that is not repeated.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::pin::pin;
    /// use std::time::Duration;
    /// use futures::StreamExt;
    /// use sse_proto::EventSource;
    /// use sse_proto::client::{EventSourceStream, Options, Request, Response};
    ///
    /// # futures::executor::block_on(async {
    /// // Stands in for an HTTP client: one event, then 403.
    /// let connect = async |request: Request| {
    ///     let status = if request.last_event_id().is_some() { 403 } else { 200 };
    ///     let response = Response::from_headers(status, [("content-type", "text/event-stream")]);
    ///     Ok::<_, std::io::Error>((response, futures::stream::iter([Ok("id: 1\ndata: hello\n\n")])))
    /// };
    /// let options = Options::standard().with_delay_bounds(Duration::ZERO, Duration::ZERO);
    /// let source = EventSource::new("http://127.0.0.1:8000/events", options);
    /// let timer = |_| async {};
    /// let stream = EventSourceStream::new(source, connect, timer);
    ///
    /// let mut events = pin!(stream.events());
    /// assert_eq!(events.next().await.unwrap()?.data(), "hello");
    /// let loss = events.next().await.unwrap().unwrap_err();
    /// assert_eq!(loss.to_string(), "the server answered 403");
    /// assert!(events.next().await.is_none());
    /// # Ok::<(), sse_proto::client::Loss>(())
    /// # }).unwrap();
    /// ```
    pub const fn events(self) -> Events<Self> {
        Events::new(self)
    }

    /// Returns a handle that closes and reconnects the client from another task.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::pin::pin;
    /// use futures::StreamExt;
    /// use futures::future::{join, pending};
    /// use sse_proto::EventSource;
    /// use sse_proto::client::{EventSourceStream, LossReason, Options, Request, Response, Update};
    ///
    /// // Stands in for a server that does not answer.
    /// type Body = futures::stream::Empty<Result<&'static str, std::io::Error>>;
    /// let connect = |_: Request| pending::<Result<(Response, Body), std::io::Error>>();
    /// let source = EventSource::new("http://127.0.0.1:8000/events", Options::standard());
    /// let stream = EventSourceStream::new(source, connect, |_| pending::<()>());
    ///
    /// let handle = stream.handle();
    /// let mut stream = pin!(stream);
    /// let (update, ()) = futures::executor::block_on(join(stream.next(), async { handle.close() }));
    /// assert!(matches!(update, Some(Update::Closed(loss)) if loss.reason == LossReason::Closed));
    /// ```
    #[cfg(feature = "std")]
    pub fn handle(&self) -> Handle {
        self.commands.handle()
    }

    /// Returns the client, to close it, to reconnect it, or to report the network. Poll the stream
    /// afterwards: a change takes effect at the next poll and wakes no task.
    pub fn source_mut(self: Pin<&mut Self>) -> &mut EventSource {
        self.project().source
    }

    /// Takes one step: handles the first output or input that there is.
    fn turn(mut self: Pin<&mut Self>, now: Duration, context: &mut Context<'_>) -> Step {
        self.as_mut().obey(now, context);
        self.as_mut().carry_out(now)?;
        self.as_mut().poll_connection(now, context)?;
        let has_chunk = self.chunk.is_some();
        self.as_mut().decode(now)?;
        self.wait(now, has_chunk, context)
    }

    /// Takes the command of a handle.
    #[cfg_attr(
        not(feature = "std"),
        expect(clippy::unused_self, reason = "there is no handle")
    )]
    fn obey(self: Pin<&mut Self>, now: Duration, context: &mut Context<'_>) {
        #[cfg(feature = "std")]
        match self.commands.take(context.waker()) {
            Some(Command::Close) => self.project().source.close(),
            Some(Command::Reconnect) => self.project().source.reconnect(now),
            None => {}
        }
        #[cfg(not(feature = "std"))]
        let _ = (now, context);
    }

    /// Carries out an output. All outputs are handled before new input.
    fn carry_out(self: Pin<&mut Self>, now: Duration) -> Step {
        let mut this = self.project();
        this.source.start(now);
        let update = match this.source.poll_output() {
            Some(Output::Request(request)) => {
                let opening = this.connect.connect(request);
                this.opening.set(Some(opening));
                None
            }
            Some(Output::Abort) => {
                this.opening.set(None);
                this.body.set(None);
                *this.chunk = None;
                None
            }
            Some(Output::Opened) => Some(Update::Opened),
            Some(Output::Lost(loss)) => Some(Update::Lost(loss)),
            Some(Output::Closed(loss)) => {
                *this.has_ended = true;
                // Drops the waker of this task.
                *this.commands = Commands::default();
                this.sleep.set(None);
                Some(Update::Closed(loss))
            }
            None if this.source.is_in_flight() && this.opening.is_none() && this.body.is_none() => {
                // A panic dropped the connection, or the caller started the source.
                this.source.handle_error(now, "the connection was dropped");
                None
            }
            None => return Step::Continue(()),
        };
        Step::Break(update)
    }

    /// Polls the connection, unless a part of its last chunk is left.
    fn poll_connection(self: Pin<&mut Self>, now: Duration, context: &mut Context<'_>) -> Step {
        let mut this = self.project();
        if this.chunk.is_some() {
            return Step::Continue(());
        }
        if let Some(opening) = this.opening.as_mut().as_pin_mut() {
            if let Poll::Ready(opened) = opening.poll(context) {
                this.opening.set(None);
                let (response, body) = match opened {
                    Ok(opened) => opened,
                    Err(error) => {
                        this.source.handle_error(now, error);
                        return Step::Break(None);
                    }
                };
                this.body.set(Some(body));
                this.source.handle_response(now, response);
                return Step::Break(None);
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
                    this.source.handle_error(now, error);
                    return Step::Break(None);
                }
                Poll::Ready(None) => {
                    this.body.set(None);
                    this.source.handle_end(now);
                    return Step::Break(None);
                }
                Poll::Pending => {}
            }
        }
        Step::Continue(())
    }

    /// Decodes the next item of the chunk, if there is a chunk.
    fn decode(self: Pin<&mut Self>, now: Duration) -> Step {
        let this = self.project();
        let Some(chunk) = this.chunk else {
            return Step::Continue(());
        };
        let bytes = chunk.as_ref();
        // Does not panic if a chunk changes its length between two calls.
        let rest = bytes.get(*this.at..).unwrap_or_default();
        let mut received = this.source.handle_bytes(now, rest);
        let item = received.next_owned();
        let left = received.remaining().len();
        *this.at = bytes.len().saturating_sub(left);
        if left == 0 {
            *this.chunk = None;
        }
        match item {
            Ok(Some(item)) => Step::Break(Some(Update::Item(item))),
            Ok(None) => Step::Continue(()),
            Err(error) => Step::Break(Some(Update::TooLarge(error))),
        }
    }

    /// Handles the deadline, or waits for it. Checks the time even after a chunk, because empty
    /// chunks do not extend a timeout.
    fn wait(
        self: Pin<&mut Self>,
        now: Duration,
        had_chunk: bool,
        context: &mut Context<'_>,
    ) -> Step {
        let mut this = self.project();
        let deadline = this.source.next_deadline();
        if deadline.is_some_and(|deadline| deadline <= now) {
            this.source.handle_deadline(now);
            return Step::Break(None);
        }
        if had_chunk {
            return Step::Break(None);
        }
        let Some(deadline) = deadline else {
            this.sleep.set(None);
            return Step::Continue(());
        };
        // A deadline that moves with every byte does not need a new sleep each time: when the old
        // sleep ends early, a new one covers the rest.
        if this.sleep.is_none() || deadline < *this.wakes_at {
            let sleep = this.timer.sleep(deadline.saturating_sub(now));
            this.sleep.set(Some(sleep));
            *this.wakes_at = deadline;
        }
        let sleep = this.sleep.as_mut().as_pin_mut();
        if sleep.is_none_or(|sleep| sleep.poll(context).is_pending()) {
            return Step::Continue(());
        }
        this.sleep.set(None);
        Step::Break(None)
    }
}

impl<C: Connect, T: Timer, N: FnMut() -> Duration> Stream for EventSourceStream<C, T, N> {
    type Item = Update;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        for _ in 0..MAX_TURNS {
            let mut this = self.as_mut().project();
            if *this.has_ended {
                return Poll::Ready(None);
            }
            // The clock is read first, so that its panic changes no state.
            let now = (this.clock)();
            if mem::replace(this.is_within_turn, true) {
                // The caller's code has panicked in an earlier step. Its future or body must not be
                // polled again, so the connection counts as failed.
                this.opening.set(None);
                this.body.set(None);
                this.sleep.set(None);
                *this.chunk = None;
            }
            let turn = self.as_mut().turn(now, context);
            *self.as_mut().project().is_within_turn = false;
            match turn {
                Step::Break(Some(update)) => return Poll::Ready(Some(update)),
                Step::Break(None) => {}
                Step::Continue(()) => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<C: Connect, T: Timer, N: FnMut() -> Duration> Stream for Events<EventSourceStream<C, T, N>> {
    type Item = Result<OwnedMessageEvent, Loss>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_picked(context, |update| match update {
            Update::Item(item) => pick(Ok(item)),
            Update::TooLarge(error) => Some(Err(Loss::new(LossReason::TooLarge(error)))),
            Update::Closed(loss) if !loss.is_end() => Some(Err(loss)),
            Update::Opened | Update::Lost(_) | Update::Closed(_) => None,
        })
    }
}

debug!(impl(C: Connect, T: Timer, N) EventSourceStream<C, T, N>, self => source: self.source);
