//! An event stream as the body of a response.

use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use ::http::{Response, StatusCode};
use bytes::Bytes;
use futures_core::stream::Stream;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::headers::insert_headers;
use crate::server::adapt::inner::{Sealed, poll_filled};
use crate::server::adapt::{FromStream, IntoChunk, StreamItem, from_stream};
use crate::wire::decode::{Decoder, OwnedMessageEvent, ReceiveError};

/// Makes the response that carries an event stream: status 200, [`HEADERS`](crate::http::HEADERS),
/// and the stream as [`Body`].
///
/// The stream has events, frames or chunks of bytes, or a `Result` of those; see
/// [`from_stream`](crate::adapt::from_stream).
///
/// # Examples
///
/// A handler for any server that builds on the crate `http`. An `Err` breaks the response off:
///
/// ```
/// use futures::stream::{self, Stream};
/// use sse_proto::Event;
/// use sse_proto::deps::http::Response;
/// use sse_proto::http::{events, response};
///
/// async fn answer() -> Response<sse_proto::http::Body<impl Stream<Item = Event<'static>>>> {
///     response(stream::iter(["Hel", "lo"].map(Event::message)))
/// }
///
/// # futures::executor::block_on(async {
/// let answer = answer().await;
/// assert_eq!(answer.headers()["content-type"], "text/event-stream");
/// assert_eq!(events(answer.into_body()).await?[1].data(), "lo");
/// # Ok::<(), sse_proto::decode::ReceiveError<std::convert::Infallible>>(())
/// # }).unwrap();
/// ```
pub fn response<S: Stream<Item: IntoChunk>>(stream: S) -> Response<Body<S>> {
    let mut response = Response::new(Body::new(stream));
    insert_headers(response.headers_mut());
    response
}

/// Makes the response that stops a client: status 204 and an empty body, after which an `EventSource`
/// does not reconnect ([HTML, section
/// 9.2.3](https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model)).
///
/// A client whose stream is closed comes back within seconds, so the server must know whom to stop.
///
/// # Examples
///
/// ```
/// use sse_proto::EventStream;
/// use sse_proto::deps::http::Response;
/// use sse_proto::http::{Body, response, stop};
///
/// fn answer(is_sent_away: bool, stream: EventStream) -> Response<Body<EventStream>> {
///     if is_sent_away { stop() } else { response(stream) }
/// }
/// let (_target, stream) = sse_proto::channel();
/// assert_eq!(answer(true, stream).status(), 204);
/// ```
#[doc(alias = "no_content")]
pub fn stop<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Reads a whole body and returns its events: for the test of a handler.
///
/// It returns when the body ends, and holds all events until then. So it is for bodies that end, of
/// servers that you trust; for others use a [`DecodeStream`](crate::decode::DecodeStream).
///
/// # Errors
///
/// If the body fails, ends within a block, or exceeds the default
/// [`DecodeLimits`](crate::decode::DecodeLimits).
///
/// # Examples
///
/// ```
/// use sse_proto::http::{events, response};
///
/// let (target, stream) = sse_proto::channel();
/// target.dispatch_message("hello").unwrap();
/// target.close();
/// # futures::executor::block_on(async {
/// let events = events(response(stream).into_body()).await?;
/// assert_eq!(events[0].data(), "hello");
/// # Ok::<(), sse_proto::decode::ReceiveError<std::convert::Infallible>>(())
/// # }).unwrap();
/// ```
pub async fn events<B: http_body::Body<Data: AsRef<[u8]>>>(
    body: B,
) -> Result<Vec<OwnedMessageEvent>, ReceiveError<B::Error>> {
    let mut body = core::pin::pin!(body);
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame.map_err(ReceiveError::Transport)?.into_data() {
            let mut items = decoder.feed(data.as_ref());
            while let Some(item) = items.next_owned().map_err(ReceiveError::Decode)? {
                events.extend(item.into_event());
            }
        }
    }
    decoder
        .finish()
        .map_or(Ok(events), |block| Err(ReceiveError::Unfinished(block)))
}

pin_project! {
    /// A stream of bytes as an [`http_body::Body`], for axum, hyper, tower and all other crates
    /// that build on the crate `http`.
    ///
    /// Each chunk of the stream is one frame of data, unchanged. Empty chunks are left out, and
    /// there are no trailers. The body fails only if the stream does, allocates nothing, and is
    /// [`Send`] and [`Unpin`] if the stream and its error are. It drops the stream at its end, or when
    /// the body itself is dropped. So the target of an [`EventStream`](crate::EventStream) is
    /// closed when the client is gone.
    ///
    /// An error of the stream is the last frame. A server that gets one drops what it has not
    /// written yet, hyper even the head of the response. So the body answers `Pending` once before
    /// the error and wakes its task: a server writes what it has when nothing is ready. A client that
    /// reads slowly may still lose the last chunks.
    ///
    /// `is_end_stream` is true once the stream has ended, or once its size hint shows that no chunk
    /// follows. The streams of this crate give that hint, so a server ends the response together
    /// with the last chunk. The size hint is exact only at the end, so there is no
    /// `content-length`.
    ///
    /// `Body::from(bytes)` makes a body of known length, for responses of the same type without a
    /// stream. The default body is empty; layers such as a timeout use it for their own responses.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::stream;
    /// use sse_proto::deps::http_body::Body as _;
    /// use sse_proto::deps::bytes::Bytes;
    /// use sse_proto::http::Body;
    ///
    /// let mut body = Body::new(stream::iter([Bytes::from("data: 1\n\n")]));
    /// assert!(!body.is_end_stream());
    /// # futures::executor::block_on(async {
    /// use std::{future::poll_fn, pin::Pin};
    ///
    /// let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.unwrap()?;
    /// assert_eq!(frame.into_data().unwrap(), "data: 1\n\n");
    /// assert!(body.is_end_stream());
    /// assert_eq!(body.size_hint().exact(), Some(0));
    /// # Ok::<(), std::convert::Infallible>(())
    /// # }).unwrap();
    /// ```
    pub struct Body<S: Stream>
    where
        S::Item: IntoChunk,
    {
        // All bytes of a body that has no stream.
        fixed: Bytes,
        // Dropped at its end.
        #[pin]
        stream: Option<FromStream<S>>,
        // The error that ended the stream, until the poll after the one that met it.
        error: Option<ErrorOf<S>>,
    }
}

type ErrorOf<S> = <<<S as Stream>::Item as IntoChunk>::Chunk as StreamItem>::Error;

impl<S: Stream<Item: IntoChunk>> Body<S> {
    /// Makes a body of a stream.
    pub fn new(stream: S) -> Self {
        Self {
            fixed: Bytes::new(),
            stream: Some(from_stream(stream)),
            error: None,
        }
    }
}

impl<S: Stream<Item: IntoChunk>> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        Self {
            fixed: bytes,
            stream: None,
            error: None,
        }
    }
}

impl<S: Stream<Item: IntoChunk>> Default for Body<S> {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl<S: Stream<Item: IntoChunk>> http_body::Body for Body<S> {
    type Data = Bytes;
    type Error = ErrorOf<S>;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        if !this.fixed.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(this.fixed)))));
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        // An empty frame would end the body in HTTP/1, and a peer may count such frames as an
        // attack in HTTP/2.
        match poll_filled(stream, cx) {
            Poll::Ready(Some(item)) => match item.into_result(Sealed) {
                Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Err(error) => {
                    this.stream.set(None);
                    *this.error = Some(error);
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            Poll::Ready(None) => {
                this.stream.set(None);
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        let stream = self.stream.as_ref();
        let has_ended = stream.is_none_or(|stream| stream.size_hint().1 == Some(0));
        if has_ended && self.error.is_none() {
            SizeHint::with_exact(self.fixed.len() as u64)
        } else {
            // No body has both bytes and a stream.
            SizeHint::new()
        }
    }
}

impl<S: Stream<Item: IntoChunk>> fmt::Debug for Body<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = self.fixed.is_empty() && self.stream.is_none() && self.error.is_none();
        f.debug_struct("Body")
            .field("has_ended", &has_ended)
            .finish_non_exhaustive()
    }
}
