//! `Events`, the events of a receiving stream and nothing else.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::item::{OwnedItem, OwnedMessageEvent};
use super::stream::{DecodeStream, MAX_CHUNKS, ReceiveError};
use crate::wire::field::START;

pin_project! {
    /// The events of a receiving stream and nothing else; returned by
    /// [`DecodeStream::events`], `DecodeRead::events` and
    /// [`EventSourceStream::events`](crate::client::EventSourceStream::events).
    ///
    /// It skips comments, reconnection times, ids without data, reports of connections, and the
    /// event that [starts](crate::event::START) a stream. Errors stay.
    ///
    /// After 32 skipped items, a poll returns `Pending` and wakes its own task, so that other tasks
    /// can run.
    #[derive(Debug)]
    pub struct Events<S> {
        #[pin]
        stream: S,
    }
}

impl<S> Events<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self { stream }
    }

    /// Returns the stream.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<T, S: Stream<Item = T>> Events<S> {
    /// Polls until `pick` takes an item.
    pub(crate) fn poll_picked<R>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pick: impl Fn(T) -> Option<R>,
    ) -> Poll<Option<R>> {
        let mut stream = self.project().stream;
        for _ in 0..MAX_CHUNKS {
            let Some(item) = ready!(stream.as_mut().poll_next(context)) else {
                return Poll::Ready(None);
            };
            if let Some(picked) = pick(item) {
                return Poll::Ready(Some(picked));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, B, E> Stream for Events<DecodeStream<S, B>>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    type Item = Result<OwnedMessageEvent, ReceiveError<E>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_picked(context, pick)
    }
}

#[cfg(feature = "std")]
impl<R: std::io::Read> Iterator for Events<super::read::DecodeRead<R>> {
    type Item = Result<OwnedMessageEvent, ReceiveError<std::io::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.stream.find_map(pick)
    }
}

/// Returns the event or the error, unless the item is another one or the start of the stream.
pub(crate) fn pick<E>(item: Result<OwnedItem, E>) -> Option<Result<OwnedMessageEvent, E>> {
    let event = item.map(OwnedItem::into_event).transpose()?;
    Some(event).filter(|event| {
        !event
            .as_ref()
            .is_ok_and(|event| START == event.event_type())
    })
}
