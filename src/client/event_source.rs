//! The reconnecting client as a state machine.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::time::Duration;

use super::machine::{Machine, Progress};
use super::options::Options;
use super::output::Output;
use super::response::Response;
use super::route::Shown;
use super::state::State;
use crate::wire::decode::{DecodeError, Decoder, Item, Items, OwnedItem};
use crate::wire::field::EventId;

/// A reconnecting client without I/O: the standard's `EventSource`
/// ([9.2.2](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface)
/// to 9.2.4).
///
/// A driver reports events of the network (`start`, `handle_*`), carries out the outputs of
/// [`poll_output`](Self::poll_output) until it returns `None`, and waits for the network until
/// [`next_deadline`](Self::next_deadline). The [module `client`](crate::client) shows this loop,
/// and [`EventSourceStream`](crate::client::EventSourceStream) runs it as a stream. An input that
/// does not fit the state, such as a late error, is ignored.
///
/// Time is an argument: the time since any fixed moment of the caller's, such as
/// `started.elapsed()`. If the clock goes back, deadlines do not move, so the client waits that
/// much longer; nothing else changes.
///
/// # Memory
///
/// A client with a short URL and a short last event ID takes less than 1 KiB while no stream is
/// open, and on an open stream whose events arrive in one piece. Events that arrive in several
/// pieces leave buffers until the connection ends: a few hundred bytes for small events.
/// [`DecodeLimits`](crate::decode::DecodeLimits) bounds these buffers.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sse_proto::EventSource;
/// use sse_proto::client::{Options, Output, Response};
///
/// let at = Duration::from_secs;
/// let mut source = EventSource::new("https://example.org/events", Options::standard(), 0);
/// source.start(at(0));
/// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
/// assert_eq!((request.url(), request.last_event_id()), ("https://example.org/events", None));
///
/// let head = Response::from_headers(200, [("content-type", "text/event-stream")]);
/// source.handle_response(at(1), head);
/// assert!(matches!(source.poll_output(), Some(Output::Opened)));
/// let bytes = b"retry: 5000\nid: 7\ndata: x\n\ndata: never comple";
/// let mut received = source.handle_bytes(at(2), bytes);
/// while let Some(item) = received.next()? {
///     println!("{item:?}");
/// }
///
/// source.handle_end(at(3));
/// let Some(Output::Lost(loss)) = source.poll_output() else { panic!() };
/// assert!(loss.is_interrupted);
/// assert_eq!(source.next_deadline(), Some(at(3 + 5)));
/// source.handle_deadline(at(8));
/// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
/// assert_eq!(request.last_event_id(), Some("7"));
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
pub struct EventSource {
    machine: Machine,
    decoder: Decoder,
}

impl EventSource {
    /// Makes a client for GET that is not started. For any other method, use
    /// [`for_method`](Self::for_method): with a client made here, a driver would repeat its POST
    /// each time the stream ends.
    ///
    /// `seed` is any number that differs from client to client. It seeds the jitter of delays.
    ///
    /// The URL is used as it is. The client reads it only to resolve a relative redirect and to
    /// compare origins. It does not understand a URL with user information, or with a host that is
    /// not ASCII or has a percent sign: no relative redirect from such a URL is followed, and no
    /// redirect from it may have credentials. Put credentials into a header, and write the host as
    /// it is resolved (`xn--`).
    pub fn new(url: &str, options: Options, seed: u64) -> Self {
        Self::with_method(None, url, options, seed)
    }

    /// Makes a client that is not started, for a request with any method, in upper case.
    ///
    /// A request that is not idempotent, such as POST, is sent once, because a repetition may cost
    /// as much as the first request. It is repeated only if [`Options::with_repeat`] allows it.
    /// With [`Options::with_get_resume`], a GET resumes it once the server has sent an ID.
    /// Otherwise the end of its response closes the client, with
    /// [`EndOfStream`](crate::client::LossReason::EndOfStream) if the response is whole and
    /// [`NotRepeatable`](crate::client::LossReason::NotRepeatable) otherwise. If the server cannot
    /// resume, as with most answers of language models, a
    /// [`DecodeStream`](crate::decode::DecodeStream) over the body is enough.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sse_proto::EventSource;
    /// use sse_proto::client::{LossReason, Options, Output, Response};
    ///
    /// let now = Duration::ZERO;
    /// let url = "https://example.org/answer";
    /// let mut source = EventSource::for_method("POST", url, Options::resilient(), 0);
    /// source.start(now);
    /// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
    /// assert_eq!(request.method(), "POST");
    ///
    /// let head = Response::from_headers(200, [("content-type", "text/event-stream")]);
    /// source.handle_response(now, head);
    /// assert!(matches!(source.poll_output(), Some(Output::Opened)));
    /// source.handle_end(now);
    /// let Some(Output::Closed(loss)) = source.poll_output() else { panic!() };
    /// assert_eq!(loss.reason, LossReason::EndOfStream);
    /// ```
    pub fn for_method(method: &str, url: &str, options: Options, seed: u64) -> Self {
        Self::with_method(Some(method), url, options, seed)
    }

    fn with_method(method: Option<&str>, url: &str, options: Options, seed: u64) -> Self {
        Self {
            // A block with only an id counts as progress, and callers may save its id.
            decoder: Decoder::new()
                .with_limits(options.decode_limits)
                .with_comments(options.comments)
                .with_last_event_ids(true),
            machine: Machine::new(method, url, options, seed),
        }
    }

    /// Sets the last event ID that an earlier process has seen, to resume after it.
    #[must_use]
    pub fn with_last_event_id(mut self, id: &EventId<'_>) -> Self {
        self.decoder = self.decoder.with_last_event_id(id);
        self
    }

    /// Returns whether the stream is open: a response was an event stream, and its body has not
    /// ended.
    pub fn is_open(&self) -> bool {
        self.machine.state() == State::Open
    }

    /// Returns the URL of the connection, after redirects: its origin is that of the events.
    /// Without a connection it is the first URL, where each connection starts.
    pub fn url(&self) -> &str {
        self.machine.url()
    }

    /// Returns the last event ID: that of the last complete block with one. Empty if there is none.
    ///
    /// To resume in another process, save it after each processed event, and pass it to
    /// [`with_last_event_id`](Self::with_last_event_id) there.
    pub fn last_event_id(&self) -> Cow<'_, str> {
        self.decoder.last_event_id()
    }

    /// Returns the reconnection time that the server has set, if it has. Save it with the last
    /// event ID, and give it to [`Options::with_reconnection_time`] in another process.
    pub const fn reconnection_time(&self) -> Option<Duration> {
        self.machine.reconnection_time()
    }

    /// Starts the client: the first request follows. A second start is ignored.
    pub fn start(&mut self, now: Duration) {
        self.machine.start(now);
    }

    /// Reconnects now: drops the connection, if one is open, or ends the wait. Ignored while a
    /// request is in flight, before the start, and once closed. Failures are forgotten, and the
    /// network counts as back. This sends a request again that is not idempotent, too.
    pub fn reconnect(&mut self, now: Duration) {
        self.machine.reconnect(now, &self.decoder);
        self.release();
    }

    /// Closes the client for good.
    pub fn close(&mut self) {
        self.machine.handle_close(&self.decoder);
        self.release();
    }

    /// Takes the head of the response to the last request. Give it redirects, too: the client
    /// follows them.
    pub fn handle_response(&mut self, now: Duration, response: Response) {
        self.machine.handle_response(now, response, &self.decoder);
    }

    /// Takes bytes of the body, and returns the items that they complete. Bytes are ignored while
    /// no stream is open.
    ///
    /// Read the items until `None`. Unread bytes are lost, unless
    /// [`remaining`](Received::remaining) is passed in again. The items are those of a
    /// [`Decoder`](crate::Decoder), including blocks that only set the last event ID.
    pub fn handle_bytes<'i>(&mut self, now: Duration, bytes: &'i [u8]) -> Received<'_, 'i> {
        self.machine.handle_bytes(now, bytes);
        // Late bytes do not belong to the next stream.
        let bytes = if self.is_open() { bytes } else { &[] };
        Received {
            items: self.decoder.feed(bytes),
            machine: &mut self.machine,
        }
    }

    /// Takes the end of the body.
    pub fn handle_end(&mut self, now: Duration) {
        self.machine.handle_end(now, &self.decoder);
        self.release();
    }

    /// Takes a failure of the request or of the body, of any kind: an error, or a text. It becomes
    /// the [`source`](Error::source) of the [`Loss`](crate::client::Loss).
    pub fn handle_error(&mut self, now: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.machine.handle_error(now, error.into(), &self.decoder);
        self.release();
    }

    /// Takes the time. If [`next_deadline`](Self::next_deadline) has passed, the client acts on it;
    /// otherwise this does nothing.
    pub fn handle_deadline(&mut self, now: Duration) {
        self.machine.handle_deadline(now, &self.decoder);
        self.release();
    }

    /// Takes the loss of the network: the connection is dropped, and no request is sent until the
    /// network is back.
    pub fn handle_network_lost(&mut self, now: Duration) {
        self.machine.handle_network_lost(now, &self.decoder);
        self.release();
    }

    /// Takes the return of the network: the next request follows once its delay has elapsed.
    pub fn handle_network_back(&mut self, now: Duration) {
        self.machine.handle_network_back(now);
    }

    /// Returns what to do or to report next, or `None` until there is a new input.
    ///
    /// Poll it after each input until `None`, and do what it says before the next input.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        // Bytes can close the client, while the items still borrow the buffers.
        self.release();
        self.machine.poll_output(&self.decoder)
    }

    /// Returns when to call [`handle_deadline`](Self::handle_deadline), on the caller's clock.
    /// Returns `None` if the client only waits for the network. Each input may change the deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.machine.next_deadline()
    }

    /// Returns whether a request waits for its response or a stream is open.
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.machine.state(), State::Connecting | State::Open)
    }

    /// Frees the buffers while no stream is open.
    fn release(&mut self) {
        if !self.is_open() {
            self.decoder.release();
        }
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("state", &self.machine.state())
            .field("url", &Shown(self.url()))
            .field("last_event_id", &self.last_event_id())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

/// Returns the [`Progress`] of a result with an `Item` or an `OwnedItem`, whose variants are alike.
macro_rules! progress {
    ($kind:ident, $item:expr) => {
        match $item {
            Ok(Some($kind::Event(_))) => Progress::Event,
            Ok(Some($kind::LastEventId(id))) => Progress::LastEventId(id),
            Ok(Some($kind::ReconnectionTime(time))) => Progress::ReconnectionTime(*time),
            Ok(Some($kind::Comment(_)) | None) => Progress::None,
            Err(error) => Progress::TooLarge(*error),
        }
    };
}

/// The items of the bytes that were handed to [`EventSource::handle_bytes`].
pub struct Received<'s, 'i> {
    machine: &'s mut Machine,
    items: Items<'s, 'i>,
}

impl<'i> Received<'_, 'i> {
    /// Returns the next item, borrowed, or `None` once all bytes are read.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when an event passes a [limit](crate::decode::DecodeLimits). The event is
    /// lost. The items after it follow, unless the limits
    /// [end the stream](crate::decode::DecodeLimits::with_end_at_limit), which closes the client.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator could not lend items"
    )]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, DecodeError> {
        let item = self.items.next();
        self.machine.note(progress!(Item, &item));
        item
    }

    /// As [`next`](Self::next), but returns an owned item. A large event that was assembled from
    /// pieces is not copied.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_owned(&mut self) -> Result<Option<OwnedItem>, DecodeError> {
        let item = self.items.next_owned();
        self.machine.note(progress!(OwnedItem, &item));
        item
    }

    /// Returns the bytes that are not read yet.
    pub fn remaining(&self) -> &'i [u8] {
        self.items.remaining()
    }
}

impl fmt::Debug for Received<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("remaining", &self.remaining().len())
            .finish_non_exhaustive()
    }
}
