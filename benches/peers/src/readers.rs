//! The decoders, each through the fastest way that its public interface offers; each reads type, id and data of every event as `&str`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use sse_proto::decode::{DecodeLimits, DecodeStream, OwnedItem};
use sse_proto::{Decoder, Item};

use crate::harness::Role;

/// What a decoder tells: type, last event ID, data.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&str, &str, &str);

/// Ready-made chunks as a stream.
struct Chunks<'a>(std::slice::Iter<'a, Bytes>);

impl Stream for Chunks<'_> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().cloned().map(Ok))
    }
}

fn drain<S: Stream>(stream: S, mut each: impl FnMut(S::Item)) {
    let mut stream = std::pin::pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match stream.as_mut().poll_next(&mut context) {
            Poll::Ready(Some(item)) => each(item),
            Poll::Ready(None) => break,
            // Chunks are always there: it only lets others run.
            Poll::Pending => {}
        }
    }
}

fn ours_lent(chunks: &[Bytes], visit: Visit<'_>) {
    let mut decoder = Decoder::new().with_limits(DecodeLimits::unlimited());
    for bytes in chunks {
        let mut items = decoder.feed(bytes);
        while let Some(item) = items.next().unwrap() {
            if let Item::Event(event) = item {
                visit(&event.event_type(), event.last_event_id(), &event.data());
            }
        }
    }
}

fn ours_owned(chunks: &[Bytes], visit: Visit<'_>) {
    let mut decoder = Decoder::new().with_limits(DecodeLimits::unlimited());
    for bytes in chunks {
        let mut items = decoder.feed(bytes);
        while let Some(item) = items.next_owned().unwrap() {
            if let OwnedItem::Event(event) = item {
                visit(event.event_type(), event.last_event_id(), event.data());
            }
        }
    }
}

fn ours_stream(chunks: &[Bytes], visit: Visit<'_>) {
    let decoder = Decoder::new().with_limits(DecodeLimits::unlimited());
    drain(DecodeStream::new(Chunks(chunks.iter()), decoder), |item| {
        if let OwnedItem::Event(event) = item.unwrap() {
            visit(event.event_type(), event.last_event_id(), event.data());
        }
    });
}

fn sse_core(chunks: &[Bytes], visit: Visit<'_>) {
    let mut decoder = sse_core::SseDecoder::with_limit(std::num::NonZeroUsize::MAX);
    for bytes in chunks {
        let mut input = &bytes[..];
        while let Some(event) = decoder.next(&mut input) {
            if let sse_core::SseEvent::Message(event) = event.unwrap() {
                visit(
                    &event.event,
                    event.last_event_id.as_deref().unwrap_or(""),
                    &event.data,
                );
            }
        }
    }
}

fn sse_core_stream(chunks: &[Bytes], visit: Visit<'_>) {
    let decoder = sse_core::SseDecoder::with_limit(std::num::NonZeroUsize::MAX);
    let mut stream = sse_core::SseStream::with_decoder(decoder);
    stream.attach(Chunks(chunks.iter()));
    drain(stream, |event| {
        if let sse_core::SseEvent::Message(event) = event.unwrap() {
            visit(
                &event.event,
                event.last_event_id.as_deref().unwrap_or(""),
                &event.data,
            );
        }
    });
}

fn sse_stream(chunks: &[Bytes], visit: Visit<'_>) {
    drain(
        sse_stream::SseByteStream::new(Chunks(chunks.iter())),
        |event| {
            let event = event.unwrap();
            if let Some(data) = &event.data {
                visit(
                    event.event.as_deref().unwrap_or("message"),
                    event.id.as_deref().unwrap_or(""),
                    data,
                );
            }
        },
    );
}

fn sseer(chunks: &[Bytes], visit: Visit<'_>) {
    drain(sseer::EventStream::new(Chunks(chunks.iter())), |event| {
        let event = event.unwrap();
        visit(&event.event, &event.id, &event.data);
    });
}

fn eventsource_stream(chunks: &[Bytes], visit: Visit<'_>) {
    drain(
        eventsource_stream::EventStream::new(Chunks(chunks.iter())),
        |event| {
            let event = event.unwrap();
            visit(&event.event, &event.id, &event.data);
        },
    );
}

/// A decoder that reads a whole stream in chunks.
pub(crate) struct Reader {
    pub(crate) role: Role,
    pub(crate) name: &'static str,
    pub(crate) decode: fn(&[Bytes], Visit<'_>),
    /// Takes time that grows with the square of an event.
    pub(crate) quadratic: bool,
}

const fn reader(role: Role, name: &'static str, decode: fn(&[Bytes], Visit<'_>)) -> Reader {
    Reader {
        role,
        name,
        decode,
        quadratic: false,
    }
}

pub(crate) const READERS: [Reader; 8] = [
    reader(Role::Ours, "sse-proto, next", ours_lent),
    reader(Role::Ours, "sse-proto, next_owned", ours_owned),
    reader(Role::Ours, "sse-proto, DecodeStream", ours_stream),
    reader(Role::Peer, "sse-core, SseDecoder", sse_core),
    reader(Role::Peer, "sse-core, SseStream", sse_core_stream),
    reader(Role::Peer, "sse-stream", sse_stream),
    reader(Role::Peer, "sseer", sseer),
    Reader {
        quadratic: true,
        ..reader(Role::Peer, "eventsource-stream", eventsource_stream)
    },
];
