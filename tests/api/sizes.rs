//! The sizes of what is passed around and kept.

#[cfg(feature = "std")]
use sse_proto::broadcast::PublishError;
#[cfg(feature = "std")]
use sse_proto::decode::DecodeRead;
use sse_proto::decode::{
    DecodeError, DecodeLimits, DecodeStream, Items, MessageEvent, OwnedItem, OwnedMessageEvent,
    ReceiveError,
};
use sse_proto::event::{BufferTooSmall, InvalidField, LastEventId, WriteError};
#[cfg(feature = "std")]
use sse_proto::target::Permit;
use sse_proto::target::{CloseReason, DispatchError, Dispatched, Limits, ListenerId, On};
#[cfg(feature = "std")]
use sse_proto::{Broadcast, EventStream, Subscription, Target};
use sse_proto::{Decoder, Item};
use sse_proto::{Event, EventId, EventType, EventWriter, Frame};

#[cfg(target_pointer_width = "64")]
#[test]
fn no_type_grows_unnoticed() {
    #[cfg(feature = "std")]
    let (target, _stream) = sse_proto::channel();
    #[cfg(feature = "std")]
    let event = Event::message("");
    let grown: Vec<_> = [
        ("BufferTooSmall", size_of::<BufferTooSmall>(), 16),
        ("CloseReason", size_of::<CloseReason>(), 1),
        ("DispatchError", size_of::<DispatchError>(), 24),
        ("Dispatched", size_of::<Dispatched>(), 1),
        ("Event", size_of::<Event<'_>>(), 152),
        ("EventId", size_of::<EventId<'_>>(), 56),
        ("EventType", size_of::<EventType<'_>>(), 24),
        ("EventWriter", size_of::<EventWriter>(), 144),
        ("Frame", size_of::<Frame>(), 80),
        ("InvalidField", size_of::<InvalidField>(), 16),
        ("Limits", size_of::<Limits>(), 24),
        ("ListenerId", size_of::<ListenerId>(), 8),
        ("On", size_of::<On>(), 32),
        ("LastEventId", size_of::<LastEventId<'_>>(), 56),
        ("WriteError", size_of::<WriteError>(), 16),
        (
            "client::EventSource",
            size_of::<sse_proto::EventSource>(),
            856,
        ),
        (
            "client::Options",
            size_of::<sse_proto::client::Options>(),
            208,
        ),
        (
            "client::Output",
            size_of::<sse_proto::client::Output>(),
            104,
        ),
        (
            "client::Request",
            size_of::<sse_proto::client::Request>(),
            72,
        ),
        (
            "client::Response",
            size_of::<sse_proto::client::Response>(),
            104,
        ),
        #[cfg(feature = "std")]
        ("EventStream", size_of::<EventStream>(), 8),
        #[cfg(feature = "std")]
        ("Target", size_of::<Target>(), 8),
        #[cfg(feature = "std")]
        ("Broadcast", size_of::<Broadcast>(), 8),
        #[cfg(feature = "std")]
        ("Subscription", size_of::<Subscription>(), 40),
        #[cfg(feature = "std")]
        ("PublishError", size_of::<PublishError>(), 24),
        #[cfg(feature = "std")]
        ("Permit", size_of::<Permit>(), 32),
        #[cfg(feature = "std")]
        ("closed", size_of_val(&target.closed()), 24),
        #[cfg(feature = "std")]
        ("reserve", size_of_val(&target.reserve(0)), 32),
        #[cfg(feature = "std")]
        ("send", size_of_val(&target.send(&event)), 96),
        ("DecodeError", size_of::<DecodeError>(), 16),
        ("DecodeLimits", size_of::<DecodeLimits>(), 32),
        ("Decoder", size_of::<Decoder>(), 464),
        ("Item", size_of::<Item<'_>>(), 80),
        ("Items", size_of::<Items<'_, '_>>(), 88),
        ("MessageEvent", size_of::<MessageEvent<'_>>(), 80),
        ("OwnedItem", size_of::<OwnedItem>(), 48),
        ("OwnedMessageEvent", size_of::<OwnedMessageEvent>(), 48),
        ("ReceiveError", size_of::<ReceiveError<()>>(), 48),
        #[cfg(feature = "std")]
        ("DecodeRead", size_of::<DecodeRead<()>>(), 504),
        ("DecodeStream", size_of::<DecodeStream<(), ()>>(), 480),
    ]
    .into_iter()
    .filter(|(_, size, most)| size > most)
    .collect();
    assert!(grown.is_empty(), "(type, its size, what it was): {grown:?}");
}
