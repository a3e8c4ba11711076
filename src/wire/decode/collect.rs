//! All events of some bytes, and of a body.

use alloc::vec::Vec;
use core::convert::Infallible;

use super::decoder::Decoder;
use super::item::{OwnedItem, OwnedMessageEvent};
use super::limits::DecodeError;
use super::stream::ReceiveError;

/// Decodes the events of a whole stream, for a test or an answer that is complete.
///
/// Comments, reconnection times and blocks without data are left out. A [`Decoder`] returns those.
///
/// # Errors
///
/// - [`ReceiveError::Unfinished`] if the bytes end within a block with data.
/// - [`ReceiveError::Decode`] if a line or an event is longer than the default
///   [`DecodeLimits`](super::DecodeLimits), or if the events together take more than 16 MiB, where
///   each counts 64 bytes, its type, its data and the last event ID.
///
/// # Examples
///
/// ```
/// use sse_proto::decode::{self, ReceiveError};
///
/// let events = decode::events(": hi\n\ndata: one\n\nevent: end\ndata: two\n\n")?;
/// assert_eq!(events.len(), 2);
/// assert_eq!((events[1].event_type(), events[1].data()), ("end", "two"));
///
/// let cut = decode::events("data: one\n\ndata: tw");
/// assert!(matches!(cut, Err(ReceiveError::Unfinished(event)) if event.data() == "tw"));
/// # Ok::<(), ReceiveError<std::convert::Infallible>>(())
/// ```
pub fn events(bytes: impl AsRef<[u8]>) -> Result<Vec<OwnedMessageEvent>, ReceiveError<Infallible>> {
    let mut collected = Collected::default();
    collected.add(bytes.as_ref())?;
    collected.finish()
}

/// The events of a stream, in order.
#[derive(Default)]
struct Collected {
    decoder: Decoder,
    events: Vec<OwnedMessageEvent>,
    bytes: usize,
}

impl Collected {
    /// The most that the events may take. Without this limit, many short events could each take a
    /// copy of a long last event ID.
    const MAX_BYTES: usize = 16 << 20;

    /// The memory of an event beside its text.
    const EVENT_BYTES: usize = 64;

    fn add<E>(&mut self, bytes: &[u8]) -> Result<(), ReceiveError<E>> {
        let mut items = self.decoder.feed(bytes);
        while let Some(item) = items.next_owned().map_err(ReceiveError::Decode)? {
            if let OwnedItem::Event(event) = item {
                self.bytes += Self::EVENT_BYTES + event.text_len();
                if self.bytes > Self::MAX_BYTES {
                    let limit = Self::MAX_BYTES;
                    return Err(ReceiveError::Decode(DecodeError::EventsTooLong { limit }));
                }
                self.events.push(event);
            }
        }
        Ok(())
    }

    fn finish<E>(mut self) -> Result<Vec<OwnedMessageEvent>, ReceiveError<E>> {
        match self.decoder.finish() {
            Some(unfinished) => Err(ReceiveError::Unfinished(unfinished)),
            None => Ok(self.events),
        }
    }
}

#[cfg(feature = "http")]
pub(crate) mod http {
    use alloc::vec::Vec;
    use core::future::poll_fn;
    use core::pin::pin;

    use bytes::Buf;
    use http_body::Body;

    use super::Collected;
    use crate::wire::decode::{OwnedMessageEvent, ReceiveError};

    /// Reads a body to its end and decodes its events, for the test of a handler.
    ///
    /// This waits for the end of the body, so close the target or the broadcast first. If the body
    /// fails or is cut, its events are lost: a [`DecodeStream`](crate::decode::DecodeStream) returns
    /// them one by one.
    ///
    /// # Errors
    ///
    /// As [`decode::events`](crate::decode::events), with the same bound on memory, and
    /// [`ReceiveError::Transport`] if the body fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto::deps::http::Response;
    /// use sse_proto::http::{Body, response};
    /// use sse_proto::{EventStream, channel};
    ///
    /// async fn handler() -> Response<Body<EventStream>> {
    ///     let (target, stream) = channel();
    ///     let _ = target.dispatch_message("hello");
    ///     response(stream)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let events = sse_proto::http::events(handler().await.into_body()).await?;
    /// assert_eq!(events[0].data(), "hello");
    /// # Ok::<(), sse_proto::decode::ReceiveError<std::convert::Infallible>>(())
    /// # }).unwrap();
    /// ```
    pub async fn events<B: Body>(
        body: B,
    ) -> Result<Vec<OwnedMessageEvent>, ReceiveError<B::Error>> {
        let mut body = pin!(body);
        let mut collected = Collected::default();
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            // Trailers bring no bytes.
            let Ok(mut data) = frame.map_err(ReceiveError::Transport)?.into_data() else {
                continue;
            };
            while data.has_remaining() {
                collected.add(data.chunk())?;
                data.advance(data.chunk().len());
            }
        }
        collected.finish()
    }
}
