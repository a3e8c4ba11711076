//! An event stream as the body of a response.

use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use ::http::{Response, StatusCode, Version};
use bytes::Bytes;
use futures_core::stream::Stream;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::headers::insert_headers;
use crate::server::adapt::StreamItem;
use crate::server::adapt::inner::{Sealed, poll_filled};

/// Makes the response that carries an event stream: status 200, the headers of
/// [`insert_headers`], and the stream as [`Body`].
///
/// `version` is the version of the request; it decides only whether a `connection` header is added.
///
/// # Examples
///
/// A handler for any server that builds on the crate `http`:
///
/// ```
/// use sse_proto::deps::http::{Request, Response};
/// use sse_proto::http::{Body, last_event_id, response};
/// use sse_proto::{EventStream, channel};
///
/// fn events<B>(request: &Request<B>) -> Response<Body<EventStream>> {
///     let header = request.headers().get_all("last-event-id");
///     let last_event_id = last_event_id(header, request.uri().query(), "lastEventId");
///     let (target, stream) = channel();
///     # let _ = last_event_id;
///     // Give the target and the last event ID to the source of the events.
///     # drop(target);
///     response(request.version(), stream)
/// }
///
/// let request = Request::get("/events").body(())?;
/// assert_eq!(events(&request).headers()["content-type"], "text/event-stream");
/// # Ok::<(), sse_proto::deps::http::Error>(())
/// ```
pub fn response<S: Stream<Item: StreamItem>>(version: Version, stream: S) -> Response<Body<S>> {
    let mut response = Response::new(Body::new(stream));
    insert_headers(version, response.headers_mut());
    response
}

/// Makes the response for a client that was sent away: status 204, after which an `EventSource` does
/// not reconnect ([HTML, section
/// 9.2.3](https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model)).
///
/// # Examples
///
/// ```
/// use sse_proto::deps::http::{Response, Version};
/// use sse_proto::http::{Body, response, sent_away};
/// use sse_proto::{EventStream, channel};
///
/// // A client whose stream is closed reconnects within seconds, so the server must know who was
/// // sent away.
/// fn events(is_banned: bool) -> Response<Body<EventStream>> {
///     if is_banned {
///         return sent_away();
///     }
///     let (_target, stream) = channel();
///     response(Version::HTTP_11, stream)
/// }
/// assert_eq!(events(true).status(), 204);
/// ```
pub fn sent_away<S>() -> Response<Body<S>> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

pin_project! {
    /// A stream of bytes as an [`http_body::Body`], for axum, hyper, tower and all other crates
    /// that build on the crate `http`.
    ///
    /// Each chunk of the stream is one frame of data, unchanged. Empty chunks are left out, and
    /// there are no trailers. The body fails only if the stream does, allocates nothing, and is
    /// [`Send`], [`Sync`] and [`Unpin`] if the stream is. It drops the stream at its end, or when
    /// the body itself is dropped. So the target of an [`EventStream`](crate::EventStream) is
    /// closed when the client is gone.
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
    pub struct Body<S> {
        // All bytes of a body that has no stream.
        fixed: Bytes,
        // Dropped at its end.
        #[pin]
        stream: Option<S>,
    }
}

impl<S: Stream<Item: StreamItem>> Body<S> {
    /// Makes a body of a stream.
    pub fn new(stream: S) -> Self {
        Self {
            fixed: Bytes::new(),
            stream: Some(stream),
        }
    }
}

impl<S> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        Self {
            fixed: bytes,
            stream: None,
        }
    }
}

impl<S> Default for Body<S> {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl<S: Stream<Item: StreamItem>> http_body::Body for Body<S> {
    type Data = Bytes;
    type Error = <S::Item as StreamItem>::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        if !this.fixed.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(this.fixed)))));
        }
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        // An empty frame would end the body in HTTP/1, and a peer may count such frames as an
        // attack in HTTP/2.
        match poll_filled(stream, cx) {
            Poll::Ready(Some(item)) => Poll::Ready(Some(item.into_result(Sealed).map(Frame::data))),
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
        if stream.is_none_or(|stream| stream.size_hint().1 == Some(0)) {
            SizeHint::with_exact(self.fixed.len() as u64)
        } else {
            // No body has both bytes and a stream.
            SizeHint::new()
        }
    }
}

impl<S> fmt::Debug for Body<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_ended = self.fixed.is_empty() && self.stream.is_none();
        f.debug_struct("Body")
            .field("has_ended", &has_ended)
            .finish_non_exhaustive()
    }
}
