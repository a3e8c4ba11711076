//! Which types go between threads, and which outlive a panic.

#[cfg(feature = "std")]
use sse_proto::broadcast::{
    Arrival, Handle, Held, Key, Merged, Publication, PublishError, Restart, Retention, Statistics,
    SubscribeOptions, Subscribed, TopicTooLong,
};
#[cfg(feature = "std")]
use sse_proto::decode::DecodeRead;
use sse_proto::decode::{
    DecodeError, DecodeLimits, DecodeStream, Items, MessageEvent, OwnedItem, OwnedMessageEvent,
    ReceiveError,
};
use sse_proto::event::{BufferTooSmall, InvalidField, LastEventId, WriteError};
#[cfg(feature = "std")]
use sse_proto::target::WeakTarget;
use sse_proto::target::{
    CloseReason, Dispatch, DispatchError, Dispatched, Limits, ListenerId, Local, LocalEventStream,
    LocalTarget, On, Overflow, Permit,
};
#[cfg(feature = "std")]
use sse_proto::{Broadcast, EventStream, Subscription, Target};
use sse_proto::{Decoder, Item};
use sse_proto::{Event, EventId, EventType, EventWriter, Frame};

use crate::has;

/// Lists which of the auto traits a type has.
macro_rules! auto_traits {
    ($type:ty) => {
        [
            has!($type: Send),
            has!($type: Sync),
            has!($type: Unpin),
            has!($type: std::panic::UnwindSafe),
            has!($type: std::panic::RefUnwindSafe),
        ]
    };
}

/// `Send`, `Sync`, `Unpin`, `UnwindSafe`, `RefUnwindSafe`.
const ALL: [bool; 5] = [true; 5];
#[cfg(feature = "std")]
const NO_UNWIND: [bool; 5] = [true, true, true, false, false];
const ONE_THREAD: [bool; 5] = [false, false, true, false, false];

#[test]
fn values_go_everywhere() {
    assert_eq!(auto_traits!(Event<'static>), ALL);
    assert_eq!(auto_traits!(EventType<'static>), ALL);
    assert_eq!(auto_traits!(EventId<'static>), ALL);
    assert_eq!(auto_traits!(Frame), ALL);
    assert_eq!(auto_traits!(Limits), ALL);
    assert_eq!(auto_traits!(Overflow), ALL);
    assert_eq!(auto_traits!(On), ALL);
    assert_eq!(auto_traits!(ListenerId), ALL);
    assert_eq!(auto_traits!(CloseReason), ALL);
    assert_eq!(auto_traits!(Dispatched), ALL);
    assert_eq!(auto_traits!(EventWriter), ALL);
    assert_eq!(auto_traits!(LastEventId<'static>), ALL);
}

#[test]
fn errors_go_everywhere() {
    assert_eq!(auto_traits!(InvalidField), ALL);
    assert_eq!(auto_traits!(BufferTooSmall), ALL);
    assert_eq!(auto_traits!(WriteError), ALL);
    assert_eq!(auto_traits!(DispatchError), ALL);
}

#[test]
fn what_is_received_goes_everywhere() {
    assert_eq!(auto_traits!(Decoder), ALL);
    // They borrow the decoder mutably.
    assert_eq!(auto_traits!(Items<'static, 'static>)[..3], ALL[..3]);
    assert_eq!(auto_traits!(Item<'static>), ALL);
    assert_eq!(auto_traits!(MessageEvent<'static>), ALL);
    assert_eq!(auto_traits!(OwnedItem), ALL);
    assert_eq!(auto_traits!(OwnedMessageEvent), ALL);
    assert_eq!(auto_traits!(DecodeLimits), ALL);
    assert_eq!(auto_traits!(DecodeError), ALL);
    assert_eq!(auto_traits!(ReceiveError<()>), ALL);
    // What is lent is a copy of a few words; a decoder is not, since it has buffers.
    assert!(!has!(Decoder: Clone) && has!(OwnedMessageEvent: Clone));
}

#[test]
fn layers_of_the_decoder_go_where_what_they_hold_goes() {
    type Chunks = futures::stream::Pending<Result<Vec<u8>, ()>>;
    type LocalChunks = futures::stream::LocalBoxStream<'static, Result<Vec<u8>, ()>>;

    assert_eq!(auto_traits!(DecodeStream<Chunks, Vec<u8>>), ALL);
    assert!(!has!(DecodeStream<LocalChunks, Vec<u8>>: Send));
    assert!(!has!(DecodeStream<Chunks, std::rc::Rc<[u8]>>: Send));
    // A chunk is read where it lies, and never pinned.
    assert!(has!(DecodeStream<Chunks, std::marker::PhantomPinned>: Unpin));
    assert!(!has!(DecodeStream<std::marker::PhantomPinned, Vec<u8>>: Unpin));
    #[cfg(feature = "std")]
    {
        assert_eq!(auto_traits!(DecodeRead<std::io::Empty>), ALL);
        assert!(!has!(DecodeRead<std::rc::Rc<std::fs::File>>: Send));
    }
}

#[test]
fn a_dispatch_stays_where_it_is() {
    assert!(!has!(Dispatch<'static>: Sync));
}

#[cfg(feature = "std")]
#[test]
fn the_ends_of_a_channel_move_between_threads_and_outlive_a_panic() {
    assert_eq!(auto_traits!(Target), ALL);
    assert!(has!(Target: Clone));
    assert_eq!(auto_traits!(WeakTarget), ALL);
    assert!(has!(WeakTarget: Clone));
    assert_eq!(auto_traits!(EventStream), ALL);
    assert!(!has!(EventStream: Clone));
    assert!(has!(EventStream: futures::stream::FusedStream));
    assert_eq!(auto_traits!(Permit), ALL);
    let (target, _stream) = sse_proto::channel();
    has_all(&target.send(&Event::message("")));
    has_all(&target.reserve(0));
    has_all(&target.closed());
}

/// For types without a name.
#[cfg(feature = "std")]
fn has_all<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>(_: &T) {}

#[cfg(feature = "std")]
#[test]
fn a_broadcast_and_its_subscribers_move_between_threads_and_outlive_a_panic() {
    // With keys, clocks and callbacks of the user's, which may hold anything that is `Send + Sync`.
    assert_eq!(auto_traits!(Broadcast), NO_UNWIND);
    assert!(has!(Broadcast: Clone) && has!(Handle: Clone));
    assert_eq!(auto_traits!(Handle), NO_UNWIND);
    assert_eq!(auto_traits!(Held), NO_UNWIND);
    assert_eq!(auto_traits!(Key), NO_UNWIND);
    assert_eq!(auto_traits!(Subscription), NO_UNWIND);
    assert_eq!(auto_traits!(Subscribed), NO_UNWIND);
    assert_eq!(auto_traits!(Restart), NO_UNWIND);
    assert_eq!(auto_traits!(SubscribeOptions), ALL);
    assert_eq!(auto_traits!(Merged), NO_UNWIND);
    assert!(!has!(Subscription: Clone) && has!(SubscribeOptions: Clone));
    assert!(has!(Subscription: futures::stream::FusedStream));
    assert!(
        has!(Merged<sse_proto::target::Local>: Unpin)
            && !has!(Merged<sse_proto::target::Local>: Send)
    );

    assert_eq!(auto_traits!(Retention), NO_UNWIND);
    assert_eq!(auto_traits!(Publication<'static>), ALL);
    assert_eq!(auto_traits!(Arrival), ALL);
    assert_eq!(auto_traits!(TopicTooLong), ALL);
    assert_eq!(auto_traits!(Statistics), ALL);
    assert_eq!(auto_traits!(PublishError), ALL);
    assert!(has!(PublishError: std::error::Error));
}

#[test]
fn adapters_go_where_what_they_hold_goes() {
    use sse_proto::adapt::{Coalesce, FromStream, KeepAlive, Preamble, Until, WithPreamble};

    type Stream = FromStream<futures::stream::Pending<sse_proto::deps::bytes::Bytes>>;
    type Future = std::future::Pending<()>;
    type Timer = fn(std::time::Duration) -> Future;
    type NoSend = futures::stream::LocalBoxStream<'static, sse_proto::deps::bytes::Bytes>;
    type NoStream = FromStream<NoSend>;

    assert_eq!(auto_traits!(Preamble<'static>), ALL);
    assert_eq!(auto_traits!(Stream), ALL);
    assert_eq!(auto_traits!(KeepAlive<Stream, Timer>), ALL);
    assert_eq!(auto_traits!(WithPreamble<Stream>), ALL);
    assert_eq!(auto_traits!(Until<Stream, Future>), ALL);
    assert_eq!(auto_traits!(Coalesce<Stream>), ALL);
    assert_eq!(auto_traits!(Coalesce<Stream, Timer>), ALL);
    assert!(!has!(KeepAlive<NoStream, Timer>: Send));
    assert!(!has!(Until<Stream, std::marker::PhantomPinned>: Unpin));
}

#[cfg(feature = "http")]
#[test]
fn a_body_goes_where_its_stream_goes() {
    use sse_proto::deps::http_body;
    use sse_proto::http::Body;

    type NoSend = futures::stream::LocalBoxStream<'static, sse_proto::deps::bytes::Bytes>;

    assert_eq!(auto_traits!(Body<EventStream>), ALL);
    assert!(has!(Body<EventStream>: http_body::Body));
    assert!(has!(Body<EventStream>: Default));
    assert!(!has!(Body<NoSend>: Send));
    assert!(has!(Body<NoSend>: http_body::Body));

    // Behind a server's own, this is what a connection that is idle takes for its body.
    assert!(size_of::<Body<EventStream>>() <= 40);
}

#[test]
fn the_ends_of_a_local_channel_stay_on_their_thread() {
    assert_eq!(auto_traits!(LocalTarget), ONE_THREAD);
    assert_eq!(auto_traits!(LocalEventStream), ONE_THREAD);
    assert_eq!(auto_traits!(Permit<Local>), ONE_THREAD);
}

#[test]
fn a_client_goes_everywhere_and_its_stream_where_its_parts_go() {
    use sse_proto::EventSource;
    use sse_proto::client::{
        EventSourceStream, Loss, LossReason, Options, Output, Received, Request, Response, Update,
    };

    type Opening<B> = std::future::Ready<Result<(Response, B), std::io::Error>>;
    type Body = futures::stream::Pending<Result<Vec<u8>, std::io::Error>>;
    type Local = futures::stream::LocalBoxStream<'static, Result<Vec<u8>, std::io::Error>>;
    type Timer = fn(std::time::Duration) -> std::future::Pending<()>;
    type Clock = fn() -> std::time::Duration;
    type Open<B> = fn(Request) -> Opening<B>;
    type Stream<B> = EventSourceStream<Open<B>, Timer, Clock>;

    assert_eq!(auto_traits!(EventSource), ALL);
    // It borrows the client mutably.
    assert_eq!(auto_traits!(Received<'static, 'static>)[..3], ALL[..3]);
    assert_eq!(auto_traits!(Options), ALL);
    assert_eq!(auto_traits!(Output), ALL);
    assert_eq!(auto_traits!(Request), ALL);
    assert_eq!(auto_traits!(Response), ALL);
    assert_eq!(auto_traits!(Loss), ALL);
    assert_eq!(auto_traits!(LossReason), ALL);
    assert_eq!(auto_traits!(Update), ALL);
    assert!(has!(Loss: std::error::Error) && has!(LossReason: Clone));
    assert!(has!(Options: Clone) && !has!(EventSource: Clone));
    #[cfg(feature = "std")]
    assert_eq!(auto_traits!(sse_proto::client::Handle), ALL);

    assert_eq!(auto_traits!(Stream<Body>)[..3], ALL[..3]);
    assert!(!has!(Stream<Local>: Send));
}
