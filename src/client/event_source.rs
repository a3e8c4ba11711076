//! The reconnecting client as a state machine.

use alloc::boxed::Box;
use core::error::Error;
use core::time::Duration;

use super::machine::{Machine, Progress};
use super::options::Options;
use super::output::Output;
use super::response::Response;
use super::route::Shown;
use super::state::State;
use crate::wire::decode::{DecodeError, Decoder, Item, Items, OwnedItem};
use crate::wire::field::{EventId, START};

/// A reconnecting client without I/O: the standard's `EventSource`
/// ([9.2.2](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface)
/// to 9.2.4).
///
/// A driver passes in what happens (`start`, `handle_*`) and carries out the outputs of
/// [`poll_output`](Self::poll_output) until it returns `None`. Then it waits for the network, at
/// most until [`next_deadline`](Self::next_deadline). The [module `client`](crate::client) shows
/// this loop, and [`EventSourceStream`](crate::client::EventSourceStream) runs it as a stream. An
/// input that does not fit the state, such as a late error, is ignored.
///
/// Time is an argument: the time since any fixed moment that the caller chooses, such as
/// `started.elapsed()`. If the clock goes back, deadlines do not move, so the client waits
/// longer by that much; nothing else changes.
///
/// # Memory
///
/// A client with a short URL and a short last event ID takes less than 1 KiB while no stream is
/// open, and on an open stream whose events arrive in one piece. Events that arrive in several
/// pieces need buffers, which are kept until the connection ends: a few hundred bytes for small
/// events. [`DecodeLimits`](crate::decode::DecodeLimits) bounds these buffers.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sse_proto::EventSource;
/// use sse_proto::client::{Options, Output, Response};
///
/// let at = Duration::from_secs;
/// let mut source = EventSource::new("https://example.org/events", Options::standard());
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
    /// Makes a client that sends GET requests, with a random seed for the jitter of delays. It does
    /// nothing until [`start`](Self::start). For any other method, add
    /// [`with_method`](Self::with_method): without it, a driver would repeat its POST each time the
    /// stream ends.
    ///
    /// On `wasm32-unknown-unknown`, which has no random numbers, use
    /// [`with_seed`](Self::with_seed).
    ///
    /// The URL is used unchanged. The client parses it only to resolve a relative redirect and to
    /// compare origins. It does not accept user information there, or a host that is not ASCII or
    /// has a percent sign: it follows no relative redirect from such a URL, and no request after a
    /// redirect from it may have credentials. Put credentials into a header, and write an
    /// international host in its ASCII form (`xn--`).
    #[cfg(all(
        feature = "std",
        not(all(target_family = "wasm", target_os = "unknown"))
    ))]
    pub fn new(url: &str, options: Options) -> Self {
        // Each has random keys of its own.
        let seed = std::hash::RandomState::new();
        Self::with_seed(url, options, core::hash::BuildHasher::hash_one(&seed, ()))
    }

    /// Does what `new` does, with a seed of the caller's: any number that differs from client to
    /// client.
    pub fn with_seed(url: &str, options: Options, seed: u64) -> Self {
        Self {
            // A block with only an id counts as progress, and callers may save its id.
            decoder: Decoder::new()
                .with_limits(options.decode_limits)
                .with_comments(options.comments)
                .with_last_event_ids(true),
            machine: Machine::new(url, options, seed),
        }
    }

    /// Sets the method of requests, in upper case. By default it is GET.
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
    /// let mut source = EventSource::new(url, Options::resilient()).with_method("POST");
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
    #[must_use]
    pub fn with_method(mut self, method: &str) -> Self {
        self.machine.set_method(method);
        self
    }

    /// Sets the last event ID that an earlier process received. The client resumes after it.
    #[must_use]
    pub fn with_last_event_id<'a>(mut self, id: impl Into<EventId<'a>>) -> Self {
        self.decoder = self.decoder.with_last_event_id(id);
        self
    }

    /// Returns whether the stream is open: the last response was an event stream, and its body has
    /// not ended.
    pub fn is_open(&self) -> bool {
        self.machine.state() == State::Open
    }

    /// Returns the URL of the connection, after redirects. Its origin is the origin of the events.
    /// Without a connection, returns the first URL, where each connection starts.
    pub fn url(&self) -> &str {
        self.machine.url()
    }

    /// Returns the last event ID: the id of the last complete block that had one, or the ID that an
    /// earlier process received. It is empty if there is none.
    ///
    /// To resume in another process, save it after each processed event, and pass it to
    /// [`with_last_event_id`](Self::with_last_event_id) there.
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Returns the reconnection time, if the server has set one. To use it in another process, save
    /// it with the last event ID, and pass it to [`Options::with_reconnection_time`].
    pub const fn reconnection_time(&self) -> Option<Duration> {
        self.machine.reconnection_time()
    }

    /// Starts the client: the next output is the first request. A second start is ignored.
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

    /// Takes the head of the response to the last request. Also pass redirects, because the client
    /// follows them.
    pub fn handle_response(&mut self, now: Duration, response: Response) {
        self.machine.handle_response(now, response, &self.decoder);
    }

    /// Takes bytes of the body, and returns the items that they complete. Bytes are ignored while
    /// no stream is open.
    ///
    /// Take items until `None`. Bytes that are not decoded are lost, unless
    /// [`remaining`](Received::remaining) is passed in again. The items are those of a
    /// [`Decoder`](crate::Decoder), including blocks that only set the last event ID.
    pub fn handle_bytes<'i>(&mut self, now: Duration, bytes: &'i [u8]) -> Received<'_, 'i> {
        self.machine.handle_bytes(now, bytes);
        // Late bytes belong to an earlier stream and must not become part of the next one.
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

    /// Takes the current time. Does nothing before [`next_deadline`](Self::next_deadline). From
    /// then on, ends the wait for the response, for a byte or for the retry.
    pub fn handle_deadline(&mut self, now: Duration) {
        self.machine.handle_deadline(now, &self.decoder);
        self.release();
    }

    /// Takes the loss of the network. The client drops the connection, and sends no request until
    /// the network is back.
    pub fn handle_network_lost(&mut self, now: Duration) {
        self.machine.handle_network_lost(now, &self.decoder);
        self.release();
    }

    /// Takes the return of the network. The client sends the next request once its delay has
    /// elapsed.
    pub fn handle_network_back(&mut self, now: Duration) {
        self.machine.handle_network_back(now);
    }

    /// Returns the next action or report, or `None` if there is none until the next input.
    ///
    /// After each input, call this method until it returns `None`, and carry out each output before
    /// the next input.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        // Bytes can close the client, while the items still borrow the buffers.
        self.release();
        self.machine.poll_output(&self.decoder)
    }

    /// Returns when to call [`handle_deadline`](Self::handle_deadline), on the caller's clock.
    /// Returns `None` if only an input can change the state, such as before the start, once closed,
    /// or on an open stream without an idle timeout. Each input may change the deadline.
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

debug! {
    impl() EventSource, self =>
    state: self.machine.state(),
    url: Shown(self.url()),
    last_event_id: self.last_event_id(),
    next_deadline: self.next_deadline(),
}

/// Returns the [`Progress`] of a result with an `Item` or an `OwnedItem`, whose variants are alike.
macro_rules! progress {
    ($kind:ident, $item:expr) => {
        match $item {
            Ok(Some($kind::Event(event))) if START == event.event_type() => {
                Progress::Start(event.last_event_id())
            }
            Ok(Some($kind::Event(_))) => Progress::Event,
            Ok(Some($kind::LastEventId(id))) => Progress::LastEventId(id),
            Ok(Some($kind::ReconnectionTime(time))) => Progress::ReconnectionTime(*time),
            Ok(Some($kind::Comment(_)) | None) => Progress::None,
            Err(error) => Progress::TooLarge(*error),
        }
    };
}

/// The items of the bytes that were passed to [`EventSource::handle_bytes`].
pub struct Received<'s, 'i> {
    machine: &'s mut Machine,
    items: Items<'s, 'i>,
}

impl<'i> Received<'_, 'i> {
    /// Returns the next item, borrowed, or `None` once all bytes are decoded.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if a line or an event exceeds a [limit](crate::decode::DecodeLimits). The
    /// block is lost. Call again for the items after it, unless the limits
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

    /// Does what [`next`](Self::next) does, but returns an owned item. A large event that was
    /// assembled from pieces is not copied.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_owned(&mut self) -> Result<Option<OwnedItem>, DecodeError> {
        let item = self.items.next_owned();
        self.machine.note(progress!(OwnedItem, &item));
        item
    }

    /// Returns the bytes that are not decoded yet.
    pub fn remaining(&self) -> &'i [u8] {
        self.items.remaining()
    }
}

debug!(impl() Received<'_, '_>, self => remaining: self.remaining().len());
