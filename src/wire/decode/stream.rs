//! Owned items from a stream of chunks.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::decoder::Decoder;
use super::events::Events;
use super::item::{OwnedItem, OwnedMessageEvent};
use super::limits::DecodeError;

/// The maximum number of chunks without an item that one poll decodes. Without this bound, a body
/// that is always ready with comments or empty chunks would block its thread.
pub(super) const MAX_CHUNKS: u32 = 32;

pin_project! {
    /// Decodes a stream of chunks, such as an HTTP body: `Stream<Item = Result<OwnedItem,
    /// ReceiveError<E>>>` over any `Stream<Item = Result<B, E>>` whose chunks are bytes.
    ///
    /// Events that were complete before the transport failed are returned before the error. The
    /// stream ends after the first transport error, and stays ended. After a [`DecodeError`] it
    /// continues, unless the limits end the stream. It holds at most one chunk at a time.
    ///
    /// If the body ends within a block, the last item is [`ReceiveError::Unfinished`] with that
    /// block: the answer was cut off. The standard discards it. To do the same, treat this error as
    /// the end. After a transport error, [`Decoder::finish`] of
    /// [`into_decoder`](Self::into_decoder) returns the block.
    ///
    /// After 32 chunks without an item, a poll returns `Pending` and wakes its own task, so that
    /// other tasks can run.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::pin::Pin;
    /// use core::task::{Context, Poll, Waker};
    /// use futures_core::Stream;
    /// use sse_proto::decode::{DecodeStream, OwnedItem};
    /// use sse_proto::Decoder;
    ///
    /// // Stands in for the body of a response.
    /// struct Body(Vec<&'static str>);
    /// impl Stream for Body {
    ///     type Item = Result<&'static str, std::io::Error>;
    ///     fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
    ///         Poll::Ready(self.0.pop().map(Ok))
    ///     }
    /// }
    ///
    /// let mut events = DecodeStream::new(Body(vec!["llo\n\n", "data: he"]), Decoder::new());
    /// let mut context = Context::from_waker(Waker::noop());
    /// let Poll::Ready(Some(Ok(OwnedItem::Event(event)))) = Pin::new(&mut events).poll_next(&mut context) else { panic!() };
    /// assert_eq!(event.data(), "hello");
    /// assert!(Pin::new(&mut events).poll_next(&mut context).is_ready());
    /// ```
    pub struct DecodeStream<S, B> {
        #[pin]
        chunks: Option<S>,
        chunk: Option<B>,
        at: usize,
        decoder: Decoder,
    }
}

impl<S, B> DecodeStream<S, B> {
    /// Decodes `chunks` with `decoder`, which may have the last event ID of an earlier connection.
    pub fn new<E>(chunks: S, decoder: Decoder) -> Self
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]>,
    {
        Self {
            chunks: Some(chunks),
            chunk: None,
            at: 0,
            decoder,
        }
    }

    /// Returns the events and the errors alone: skips comments, reconnection times, ids without
    /// data, and the event that [starts](crate::event::START) a stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::pin::pin;
    /// use futures::StreamExt;
    /// use sse_proto::Decoder;
    /// use sse_proto::decode::DecodeStream;
    ///
    /// # futures::executor::block_on(async {
    /// let body = futures::stream::iter([Ok::<_, std::io::Error>("retry: 9\n\ndata: hello\n\n")]);
    /// let mut events = pin!(DecodeStream::new(body, Decoder::new()).events());
    /// while let Some(event) = events.next().await {
    ///     assert_eq!(event?.data(), "hello");
    /// }
    /// # Ok::<(), sse_proto::decode::ReceiveError<std::io::Error>>(())
    /// # }).unwrap();
    /// ```
    pub const fn events(self) -> Events<Self> {
        Events::new(self)
    }

    /// Returns the decoder. To use it for the next connection, call [`Decoder::reconnect`].
    pub fn into_decoder(self) -> Decoder {
        self.decoder
    }
}

impl<S, B, E> Stream for DecodeStream<S, B>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    type Item = Result<OwnedItem, ReceiveError<E>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        for _ in 0..MAX_CHUNKS {
            let chunk = if let Some(chunk) = this.chunk.take() {
                chunk
            } else {
                if this.decoder.is_stopped() {
                    this.chunks.set(None);
                }
                let Some(chunks) = this.chunks.as_mut().as_pin_mut() else {
                    return Poll::Ready(None);
                };
                match ready!(chunks.poll_next(context)) {
                    Some(Ok(chunk)) => {
                        *this.at = 0;
                        chunk
                    }
                    Some(Err(error)) => {
                        this.chunks.set(None);
                        return Poll::Ready(Some(Err(ReceiveError::Transport(error))));
                    }
                    None => {
                        this.chunks.set(None);
                        let unfinished = this.decoder.finish().map(ReceiveError::Unfinished);
                        return Poll::Ready(unfinished.map(Err));
                    }
                }
            };
            let bytes = chunk.as_ref();
            // Does not panic if a chunk changes its length between two calls.
            let mut items = this.decoder.feed(bytes.get(*this.at..).unwrap_or_default());
            let item = items.next_owned();
            if !matches!(item, Ok(None)) {
                let left = items.remaining().len();
                if left > 0 {
                    *this.at = bytes.len() - left;
                    *this.chunk = Some(chunk);
                }
                return Poll::Ready(item.map_err(ReceiveError::Decode).transpose());
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

debug!(impl(S, B) DecodeStream<S, B>, self => decoder: self.decoder);

/// The error of [`DecodeStream`] and `DecodeRead`.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReceiveError<E> {
    /// The transport failed.
    Transport(E),
    /// A line or an event exceeded a limit.
    Decode(DecodeError),
    /// The transport ended without an error, but within this block; see [`Decoder::finish`].
    #[doc(alias("truncated", "interrupted", "eof"))]
    Unfinished(OwnedMessageEvent),
}

impl<E: fmt::Display> fmt::Display for ReceiveError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Error reporters also print the source, so this text does not repeat it.
            Self::Transport(_) => f.write_str("the transport failed"),
            Self::Decode(error) => fmt::Display::fmt(error, f),
            Self::Unfinished(_) => f.write_str("the event stream ended within a block"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for ReceiveError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::Decode(error) => error.source(),
            Self::Unfinished(_) => None,
        }
    }
}
