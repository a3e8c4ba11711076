//! An event stream as the body of a response.

use core::convert::Infallible;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use futures_core::stream::Stream;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::server::adapt::fuse::Fuse;

pin_project! {
    /// A stream of bytes as an [`http_body::Body`]: what axum, hyper, tower and all others that build
    /// on the crate `http` send as it is.
    ///
    /// Each chunk of the stream is one frame of data, unchanged; a chunk without a byte is left out,
    /// and there are no trailers. It never fails, allocates nothing, and is [`Send`], [`Sync`] and
    /// [`Unpin`] if the stream is. The stream is dropped at its end, or with the body: so an
    /// [`EventStream`](crate::EventStream) within knows when the client is gone.
    ///
    /// `is_end_stream` is true once the stream has ended, and before, if the stream's own size hint
    /// says that no chunk follows, as those of this crate do: a server then ends the response along
    /// with the last chunk. The size hint is exact at the end only, since nobody knows how long an
    /// event stream will be; so it gets no `content-length`.
    ///
    /// Made [`From`] bytes, it has these alone, and their length: for the answers around the stream
    /// that are of the same type. The default has none, which layers like a timeout answer with.
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
        // All there is, or nothing.
        first: Bytes,
        #[pin]
        stream: Fuse<S>,
    }
}

impl<S: Stream<Item = Bytes>> Body<S> {
    /// Makes a body of a stream.
    pub fn new(stream: S) -> Self {
        Self {
            first: Bytes::new(),
            stream: Fuse::new(stream),
        }
    }
}

impl<S> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        Self {
            first: bytes,
            stream: Fuse::ended(),
        }
    }
}

impl<S> Default for Body<S> {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl<S: Stream<Item = Bytes>> http_body::Body for Body<S> {
    type Data = Bytes;
    type Error = Infallible;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.project();
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(this.first)))));
        }
        // Without a byte there is no frame: HTTP/1 would read one as the end of the body, and a peer
        // may count them as an attack under HTTP/2.
        match this.stream.poll_bytes(cx) {
            Poll::Ready(Some(chunk)) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.stream.size_hint().1 == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        if self.stream.size_hint().1 == Some(0) {
            SizeHint::with_exact(self.first.len() as u64)
        } else {
            // Bytes that come first are never followed by a stream.
            SizeHint::new()
        }
    }
}

impl<S> fmt::Debug for Body<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field(
                "has_ended",
                &(self.first.is_empty() && self.stream.has_ended()),
            )
            .finish_non_exhaustive()
    }
}
