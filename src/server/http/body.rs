//! An event stream as the body of a response.

use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use ::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use futures_core::stream::Stream;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::headers::HEADERS;
use crate::server::adapt::inner::{Encode, Sealed, StreamItem, poll_filled};

/// Makes the response that carries an event stream: status 200, the [headers](HEADERS), and the
/// stream as [`Body`].
///
/// `stream` is any stream of events, of what converts into a frame, of bytes, or of `Result`s of
/// these. All streams of this crate are among them.
///
/// The response is the same for each version of HTTP. A server ends it with the connection in
/// HTTP/1.0, where a body without a length has no other end.
///
/// # Examples
///
/// A handler for axum, or for any server that builds on the crate `http`:
///
/// ```
/// use futures::{Stream, StreamExt, stream};
/// use sse_proto::Event;
/// use sse_proto::deps::http::Response;
/// use sse_proto::http::{Body, response};
///
/// async fn tokens() -> Response<Body<impl Stream<Item = Event<'static>>>> {
///     let model = stream::iter(["Hello", " world"]);
///     response(model.map(Event::message))
/// }
///
/// # futures::executor::block_on(async {
/// let answer = tokens().await;
/// assert_eq!(answer.headers()["content-type"], "text/event-stream");
/// let events = sse_proto::http::events(answer.into_body()).await?;
/// assert_eq!(events[1].data(), " world");
/// # Ok::<(), sse_proto::decode::ReceiveError<std::convert::Infallible>>(())
/// # }).unwrap();
/// ```
///
/// A handler that resumes its clients, keeps their streams alive, and refuses some:
///
/// ```
/// use futures::Stream;
/// use sse_proto::broadcast::Retention;
/// use sse_proto::deps::{bytes::Bytes, http::{Request, Response, StatusCode}};
/// use sse_proto::http::{Body, last_event_id, response};
/// use sse_proto::{Broadcast, Event, EventStreamExt, event_type};
/// # mod tokio { pub mod time {
/// #     pub fn sleep(_: std::time::Duration) -> std::future::Pending<()> { std::future::pending() }
/// # } }
///
/// fn events<B>(
///     all: &Broadcast,
///     request: &Request<B>,
/// ) -> Result<Response<Body<impl Stream<Item = Bytes> + use<B>>>, StatusCode> {
///     if !request.headers().contains_key("authorization") {
///         return Err(StatusCode::UNAUTHORIZED);
///     }
///     let header = request.headers().get_all("last-event-id");
///     let last = last_event_id(header, request.uri().query(), "lastEventId");
///     // Tells a client that cannot be resumed that it may have missed events.
///     let reset = Event::new(event_type!("reset"), "{}");
///     Ok(response(all.subscribe(last).or_oldest(&reset).with_defaults(tokio::time::sleep)))
/// }
///
/// let all = Broadcast::new(Retention::default());
/// let request = Request::get("/events").body(())?;
/// assert_eq!(events(&all, &request).err(), Some(StatusCode::UNAUTHORIZED));
/// let request = Request::get("/events").header("authorization", "Bearer x").body(())?;
/// assert_eq!(events(&all, &request).unwrap().status(), 200);
/// # Ok::<(), sse_proto::deps::http::Error>(())
/// ```
pub fn response<S: Stream<Item: Encode>>(stream: S) -> Response<Body<S>> {
    let mut response = Response::new(Body::new(stream));
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// Makes the response that stops a client: status 204, after which an `EventSource` does not
/// reconnect ([HTML, section
/// 9.2.3](https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model)).
///
/// The body is empty, and of any type that has a default: that of [`response`], or your server's.
///
/// # Examples
///
/// ```
/// use sse_proto::deps::http::Response;
/// use sse_proto::http::{Body, response, stop};
/// use sse_proto::{EventStream, channel};
///
/// // A client whose stream is closed reconnects within seconds, so the server must know who was
/// // sent away.
/// fn events(is_banned: bool) -> Response<Body<EventStream>> {
///     if is_banned {
///         return stop();
///     }
///     let (_target, stream) = channel();
///     response(stream)
/// }
/// assert_eq!(events(true).status(), 204);
/// ```
pub fn stop<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

pin_project! {
    /// An event stream as an [`http_body::Body`], for axum, hyper, tower and all other crates that
    /// build on the crate `http`.
    ///
    /// Each item of the stream is one frame of data; bytes are not copied. Empty chunks are left
    /// out, and there are no trailers. The body is [`Send`], [`Sync`] and [`Unpin`] if the stream
    /// is. It polls the stream for one item when the server asks for a frame, and drops the stream
    /// at its end, or when the body itself is dropped. So the target of an
    /// [`EventStream`](crate::EventStream) is closed when the client is gone.
    ///
    /// `is_end_stream` is true once the stream has ended, or once its size hint shows that no chunk
    /// follows. The streams of this crate give that hint, so a server ends the response together
    /// with the last chunk. The size hint is exact only at the end, so there is no
    /// `content-length`.
    ///
    /// `Body::from(bytes)` makes a body of known length, for responses of the same type without a
    /// stream. The default body is empty; layers such as a timeout use it for their own responses.
    ///
    /// # Failure
    ///
    /// An error of the stream is the last thing that the body returns. A server then breaks the
    /// response off, so that the client does not take it for whole: over HTTP/1 it closes the
    /// connection without the last chunk, over HTTP/2 it resets the stream.
    ///
    /// Servers drop what they have not written yet when a body fails. So before the error the body
    /// returns `Pending` once and wakes its task, so that the server can write the earlier chunks.
    /// This is best effort: a client that reads slowly may still lose the last of them. Over
    /// HTTP/2, any client may lose some if hundreds of chunks are ready at that moment, unless
    /// [`coalesce`](crate::EventStreamExt::coalesce) joins them.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::stream;
    /// use sse_proto::deps::http_body::Body as _;
    /// use sse_proto::Event;
    /// use sse_proto::http::Body;
    ///
    /// let mut body = Body::new(stream::iter([Event::message("1")]));
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
    pub struct Body<S: Stream<Item: Encode>> {
        // All bytes of a body that has no stream.
        fixed: Bytes,
        // Dropped at its end.
        #[pin]
        stream: Option<S>,
        // The error of the stream, for the next poll.
        failure: Option<<S::Item as Encode>::Error>,
    }
}

impl<S: Stream<Item: Encode>> Body<S> {
    /// Makes a body of a stream.
    pub fn new(stream: S) -> Self {
        Self {
            stream: Some(stream),
            ..Self::default()
        }
    }
}

impl<S: Stream<Item: Encode>> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        Self {
            fixed: bytes,
            stream: None,
            failure: None,
        }
    }
}

impl<S: Stream<Item: Encode>> Default for Body<S> {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl<S: Stream<Item: Encode>> http_body::Body for Body<S> {
    type Data = Bytes;
    type Error = <S::Item as Encode>::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        if !this.fixed.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(this.fixed)))));
        }
        if let Some(error) = this.failure.take() {
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
                    *this.failure = Some(error);
                    this.stream.set(None);
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
        if self.failure.is_none() && stream.is_none_or(|stream| stream.size_hint().1 == Some(0)) {
            SizeHint::with_exact(self.fixed.len() as u64)
        } else {
            // No body has both bytes and a stream.
            SizeHint::new()
        }
    }
}

impl<S: Stream<Item: Encode>> fmt::Debug for Body<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = self.fixed.is_empty() && self.stream.is_none() && self.failure.is_none();
        f.debug_struct("Body")
            .field("has_ended", &has_ended)
            .finish_non_exhaustive()
    }
}
