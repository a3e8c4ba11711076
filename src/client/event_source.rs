//! The reconnecting client as a state machine.

use alloc::borrow::Cow;
use core::fmt;
use core::time::Duration;

use super::life::{Life, News};
use super::options::Options;
use super::output::{Closed, Output};
use super::response::Response;
use super::state::State;
use super::url::Shown;
use crate::wire::decode::{DecodeError, Decoder, Item, OwnedItem};
use crate::wire::field::EventId;

/// A reconnecting client without I/O: the standard's `EventSource`
/// ([9.2.2](https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface) to 9.2.4).
///
/// A driver tells it what happens (`start`, `handle_*`), does what [`poll_output`](Self::poll_output) asks for until that
/// is `None`, and waits for the network until [`next_deadline`](Self::next_deadline). The [module](super) shows the loop.
/// An input that makes no sense in a state, such as a late error, is ignored.
///
/// Time is an argument: how long it is since a moment of the caller's, such as `started.elapsed()`. One that goes
/// back breaks nothing, but what was due at a later time is due no earlier: it is waited for that much longer.
///
/// # Memory
///
/// Below 1 KiB where no stream is open and URL and last event ID are short, and on an open stream whose events come whole.
/// Events that come cut leave buffers for the next ones, a few hundred bytes for small events, until
/// [`shrink_to_fit`](Self::shrink_to_fit) or the end of the connection; how much at most,
/// [`DecodeLimits`](crate::decode::DecodeLimits) say.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sse_proto::client::{Options, Output, Response};
/// use sse_proto::EventSource;
///
/// let at = Duration::from_secs;
/// let mut source = EventSource::new("https://example.org/events", Options::standard(), 0);
/// source.start(at(0));
/// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
/// assert_eq!((request.url(), request.last_event_id()), ("https://example.org/events", None));
///
/// source.handle_response(at(1), Response::new(200).with_content_type(b"text/event-stream"));
/// assert_eq!(source.poll_output(), Some(Output::Opened));
/// let mut bytes: &[u8] = b"retry: 5000\nid: 7\ndata: x\n\ndata: never comple";
/// while let Some(item) = source.handle_bytes(at(2), &mut bytes) {
///     println!("{:?}", item?);
/// }
///
/// source.handle_end(at(3));
/// let Some(Output::Down(down)) = source.poll_output() else { panic!() };
/// assert!(down.is_interrupted);
/// assert_eq!(source.next_deadline(), Some(at(3 + 5)));
/// source.handle_deadline(at(8));
/// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
/// assert_eq!(request.last_event_id(), Some("7"));
/// # Ok::<(), sse_proto::decode::DecodeError>(())
/// ```
pub struct EventSource {
    life: Life,
    decoder: Decoder,
}

impl EventSource {
    /// Makes a client that is not started, for GET. For any other method there is [`for_method`](Self::for_method): a
    /// driver that POSTs what was made here sends its POST again each time the stream ends.
    ///
    /// `seed` is any number that differs from client to client: delays get their jitter from it. The URL is taken as it
    /// is; the machine looks at it where a redirect is relative, and to tell origins apart. It understands no URL with user
    /// information, with a host that is not ASCII or that has a percent sign: such a URL is requested, but no relative
    /// redirect from it is followed, and none to another URL takes credentials along. Put credentials into a header, and
    /// write the host as it is resolved (`xn--`).
    pub fn new(url: &str, options: Options, seed: u64) -> Self {
        Self::with_method(None, url, options, seed)
    }

    /// Makes a client that is not started, for a request with any method, as it stands in the request: upper case.
    ///
    /// A request that is not idempotent, such as POST, is not sent again once it was sent, unless the server has given an
    /// id by which it resumes, or the [`Options`] [allow it](Options::with_repeat): each time may cost as much as the
    /// first. So its end is the end of the client: [`ClosedReason::NotRepeatable`](super::ClosedReason), of
    /// [`DownReason::Ended`](super::DownReason) where all went well. Where nothing is to be resumed at all, as with an
    /// answer of most language models, [`DecodeStream`](crate::decode::DecodeStream) over the body is all that is needed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sse_proto::client::{ClosedReason, DownReason, Options, Output, Response};
    /// use sse_proto::EventSource;
    ///
    /// let now = Duration::ZERO;
    /// let mut source = EventSource::for_method("POST", "https://example.org/answer", Options::resilient(), 0);
    /// source.start(now);
    /// let Some(Output::Request(request)) = source.poll_output() else { panic!() };
    /// assert_eq!(request.method(), "POST");
    ///
    /// source.handle_response(now, Response::new(200).with_content_type(b"text/event-stream"));
    /// assert_eq!(source.poll_output(), Some(Output::Opened));
    /// source.handle_end(now);
    /// let Some(Output::Closed(closed)) = source.poll_output() else { panic!() };
    /// assert_eq!(closed.reason, ClosedReason::NotRepeatable(DownReason::Ended));
    /// assert_eq!(closed.reason.to_string(), "the event stream ended");
    /// ```
    pub fn for_method(method: &str, url: &str, options: Options, seed: u64) -> Self {
        Self::with_method(Some(method), url, options, seed)
    }

    fn with_method(method: Option<&str>, url: &str, options: Options, seed: u64) -> Self {
        Self {
            life: Life::new(method, url, options, seed),
            // An id alone is progress, and a reason to save it.
            decoder: Decoder::new()
                .with_limits(options.limits)
                .with_comments(options.comments)
                .with_last_event_ids(true),
        }
    }

    /// Sets the last event ID that an earlier process has seen last, to resume there.
    #[must_use]
    pub fn with_last_event_id(mut self, id: &EventId<'_>) -> Self {
        self.decoder = self.decoder.with_last_event_id(&id.to_str());
        self
    }

    /// Sets the reconnection time that the server has set in an earlier process. It counts as the server's: it wins over
    /// that of the [`Options`], until the next `retry` field.
    #[must_use]
    pub fn with_reconnection_time(mut self, time: Duration) -> Self {
        self.life.reconnect.reconnection_time = Some(time);
        self
    }

    /// Returns where it is in its life.
    pub const fn state(&self) -> State {
        self.life.state
    }

    /// Returns why it has ended, if it has.
    pub const fn closed(&self) -> Option<&Closed> {
        self.life.closed.as_ref()
    }

    /// Returns the URL of the connection, behind redirects: its origin is that of the events. Without a connection it is
    /// the first URL, where each connection begins.
    pub fn url(&self) -> &str {
        self.life.route.url()
    }

    /// Returns the last event ID: that of the last complete block with one. Empty if there is none.
    ///
    /// To resume in another process, save it with each event whose work is done, and give it to
    /// [`with_last_event_id`](Self::with_last_event_id) there.
    pub fn last_event_id(&self) -> Cow<'_, str> {
        self.decoder.last_event_id()
    }

    /// Returns the reconnection time that the server has set, if it has. To be saved with the last event ID.
    pub const fn reconnection_time(&self) -> Option<Duration> {
        self.life.reconnect.reconnection_time
    }

    /// Returns how many bytes the decoder has allocated.
    pub fn memory_held(&self) -> usize {
        self.decoder.memory_held()
    }

    /// Gives back what the decoder has allocated and does not need now; within a block it needs all. Worth a call where
    /// many clients are open and silent for long.
    pub fn shrink_to_fit(&mut self) {
        self.decoder.shrink_to_fit();
    }

    /// Starts it: the first request follows. Only the first start counts.
    pub fn start(&mut self, now: Duration) {
        self.life.start(now);
    }

    /// Reconnects now: gives up the connection, if one is open, or the wait. Nothing where a request is under way, before
    /// the start, and after the end. Failures are forgotten, and the network is taken to be back.
    pub fn reconnect(&mut self, now: Duration) {
        self.life.reconnect(now, &self.decoder);
        self.settle();
    }

    /// Closes it for good.
    pub fn close(&mut self) {
        self.life.close(self.decoder.is_within_block());
        self.settle();
    }

    /// Takes the head of the response to the last request. Redirects too: they are followed.
    pub fn handle_response(&mut self, now: Duration, response: Response) {
        self.life.response(now, response, &self.decoder);
    }

    /// Takes bytes of the body from the front of `input`, up to and with the first item that they complete.
    ///
    /// Keep the slice in a variable and call until `None`: then all bytes are taken. Where no stream is open, bytes are
    /// passed over. Items are those of [`Decoder::decode`]; a block that only sets the last event ID is one of them.
    ///
    /// An error is a [limit](crate::decode::DecodeLimits) passed: the event is lost, and the stream goes on, or with
    /// [`AfterLimit::End`](crate::decode::AfterLimit::End) the client closes.
    pub fn handle_bytes<'s, 'i: 's>(
        &'s mut self,
        now: Duration,
        input: &mut &'i [u8],
    ) -> Option<Result<Item<'s>, DecodeError>> {
        if !self.life.hears(now, input) {
            *input = &[];
            return None;
        }
        let step = self.decoder.decode(input).transpose()?;
        self.life.note(now, &step, |item| match item {
            Item::Event(_) => News::Event,
            Item::LastEventId(id) => News::LastEventId(id.to_str()),
            Item::ReconnectionTime(time) => News::ReconnectionTime(*time),
            Item::Comment(_) => News::Comment,
        });
        Some(step)
    }

    /// Does what [`handle_bytes`](Self::handle_bytes) does and copies the item; a large event that was put together from
    /// pieces is handed over without a copy.
    pub fn handle_bytes_owned(
        &mut self,
        now: Duration,
        input: &mut &[u8],
    ) -> Option<Result<OwnedItem, DecodeError>> {
        if !self.life.hears(now, input) {
            *input = &[];
            return None;
        }
        let step = self.decoder.decode_owned(input).transpose()?;
        self.life.note(now, &step, |item| match item {
            OwnedItem::Event(_) => News::Event,
            OwnedItem::LastEventId(id) => News::LastEventId(Cow::Borrowed(id)),
            OwnedItem::ReconnectionTime(time) => News::ReconnectionTime(*time),
            OwnedItem::Comment(_) => News::Comment,
        });
        Some(step)
    }

    /// Takes the end of the body.
    pub fn handle_end(&mut self, now: Duration) {
        self.life.fail(now, true, &self.decoder);
        self.settle();
    }

    /// Takes a failure of the request or of the body, whatever it is.
    pub fn handle_error(&mut self, now: Duration) {
        self.life.fail(now, false, &self.decoder);
        self.settle();
    }

    /// Takes the time: what was due at [`next_deadline`](Self::next_deadline) happens. Before it, nothing does.
    pub fn handle_deadline(&mut self, now: Duration) {
        self.life.deadline(now, &self.decoder);
        self.settle();
    }

    /// Takes the loss of the network: the connection is given up, and no request is sent until it is back.
    pub fn handle_network_lost(&mut self, now: Duration) {
        self.life.network_lost(now, &self.decoder);
        self.settle();
    }

    /// Takes the return of the network: the next request is sent, unless its time has not come yet.
    pub fn handle_network_back(&mut self, now: Duration) {
        self.life.network_back(now);
    }

    /// Returns what to do or to tell next; `None` until there is a new input.
    ///
    /// Poll it after each input until `None`, and do what it says before the next input.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        // Bytes can close it, and what they were read into is still lent then.
        self.settle();
        self.life.poll(&self.decoder)
    }

    /// Returns when to call [`handle_deadline`](Self::handle_deadline), on the caller's clock; `None` if only the network
    /// can move it. Changes with each input.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.life.next_deadline()
    }

    /// Where no stream is open, no buffer is needed.
    fn settle(&mut self) {
        if self.life.state != State::Open {
            self.decoder.release();
        }
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("state", &self.state())
            .field("url", &Shown(self.url()))
            .field("last_event_id", &self.last_event_id())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
