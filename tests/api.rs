//! What a change can take from users without a test of behaviour noticing: auto traits, sizes and
//! the texts of errors. The public API itself is in `api.txt`, which `.ci/api` writes.

use sse_proto::{
    AfterLimit, Chunk, DecodeError, DecodeLimits, DecodeStream, Decoder, Item, MessageEvent,
    OwnedItem, OwnedMessageEvent, ReceiveError, Text,
};
#[cfg(feature = "std")]
use sse_proto::{
    Broadcast, BroadcastStatistics, Merged, Metadata, PublishError, Restart, Retention, Scope,
    SubscribeOptions, Subscribed, Subscription, SubscriptionEnd,
};
use sse_proto::{
    BufferTooSmall, CloseReason, Decided, Dispatch, DispatchError, Dispatched, Ending, Event,
    EventId, EventType, EventWriter, Frame, InvalidField, InvalidLastEventId, Limits, Lines,
    ListenerId, LocalEventStream, LocalListener, LocalTargetHandle, On, Overflow, Pending,
    RemovedListener, SharedListener, Target, WriteError,
};
#[cfg(feature = "std")]
use sse_proto::{Closed, DecodeRead, EventStream, Permit, Reserve, TargetHandle, WeakTargetHandle};

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

/// Whether a type has a trait. The constant of the impl with the bound wins over the trait's, where
/// the bound holds.
macro_rules! has {
    ($type:ty: $bound:path) => {{
        #[allow(dead_code, reason = "used only where the bound does not hold")]
        trait Otherwise {
            const HOLDS: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Of<T: ?Sized>(core::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used only where the bound holds")]
        impl<T: ?Sized + $bound> Of<T> {
            const HOLDS: bool = true;
        }
        <Of<$type>>::HOLDS
    }};
}

/// `Send`, `Sync`, `Unpin`, `UnwindSafe`, `RefUnwindSafe`.
const ALL: [bool; 5] = [true; 5];
const NO_UNWIND: [bool; 5] = [true, true, true, false, false];
const ONE_THREAD: [bool; 5] = [false, false, true, false, false];

#[test]
fn values_go_everywhere() {
    assert_eq!(auto_traits!(Event<'static>), ALL);
    assert_eq!(auto_traits!(EventType<'static>), ALL);
    assert_eq!(auto_traits!(EventId<'static>), ALL);
    assert_eq!(auto_traits!(Frame), ALL);
    assert_eq!(auto_traits!(Lines<'static>), ALL);
    assert_eq!(auto_traits!(Limits), ALL);
    assert_eq!(auto_traits!(Overflow), ALL);
    assert_eq!(auto_traits!(On), ALL);
    assert_eq!(auto_traits!(ListenerId), ALL);
    assert_eq!(auto_traits!(CloseReason), ALL);
    assert_eq!(auto_traits!(Dispatched), ALL);
    assert_eq!(auto_traits!(EventWriter), ALL);
}

#[test]
fn errors_go_everywhere() {
    assert_eq!(auto_traits!(InvalidField), ALL);
    assert_eq!(auto_traits!(BufferTooSmall), ALL);
    assert_eq!(auto_traits!(WriteError), ALL);
    assert_eq!(auto_traits!(DispatchError), ALL);
    assert_eq!(auto_traits!(InvalidLastEventId), ALL);
}

#[test]
fn what_is_received_goes_everywhere() {
    assert_eq!(auto_traits!(Decoder), ALL);
    assert_eq!(auto_traits!(Chunk<'static>), ALL);
    assert_eq!(auto_traits!(Item<'static>), ALL);
    assert_eq!(auto_traits!(MessageEvent<'static>), ALL);
    assert_eq!(auto_traits!(Text<'static>), ALL);
    assert_eq!(auto_traits!(OwnedItem), ALL);
    assert_eq!(auto_traits!(OwnedMessageEvent), ALL);
    assert_eq!(auto_traits!(DecodeLimits), ALL);
    assert_eq!(auto_traits!(AfterLimit), ALL);
    assert_eq!(auto_traits!(DecodeError), ALL);
    assert_eq!(auto_traits!(ReceiveError<()>), ALL);
    // What is lent is a copy of a few words; a decoder is not, since it has buffers.
    assert!(has!(Item<'static>: Copy) && has!(Chunk<'static>: Copy));
    assert!(!has!(Decoder: Clone) && has!(OwnedItem: Clone));
}

#[test]
fn layers_of_the_decoder_go_where_what_they_hold_goes() {
    type Chunks = futures::stream::Pending<Result<Vec<u8>, ()>>;
    type LocalChunks = futures::stream::LocalBoxStream<'static, Result<Vec<u8>, ()>>;

    assert_eq!(auto_traits!(DecodeStream<Chunks, Vec<u8>>), ALL);
    assert!(has!(DecodeStream<Chunks, Vec<u8>>: futures::stream::FusedStream));
    assert!(!has!(DecodeStream<LocalChunks, Vec<u8>>: Send));
    assert!(!has!(DecodeStream<Chunks, std::rc::Rc<[u8]>>: Send));
    // A chunk is read where it lies, and never pinned.
    assert!(has!(DecodeStream<Chunks, std::marker::PhantomPinned>: Unpin));
    assert!(!has!(DecodeStream<std::marker::PhantomPinned, Vec<u8>>: Unpin));
    #[cfg(feature = "std")]
    {
        assert_eq!(auto_traits!(DecodeRead<std::io::Empty>), ALL);
        assert!(has!(DecodeRead<std::io::Empty>: std::iter::FusedIterator));
        assert!(!has!(DecodeRead<std::rc::Rc<std::fs::File>>: Send));
    }
}

#[test]
fn a_target_of_shared_listeners_moves_between_threads_and_one_of_local_ones_does_not() {
    assert_eq!(auto_traits!(SharedListener), NO_UNWIND);
    assert_eq!(auto_traits!(Target<SharedListener>), NO_UNWIND);
    assert_eq!(auto_traits!(Pending<'static, SharedListener>), NO_UNWIND);
    assert_eq!(auto_traits!(Decided<'static, SharedListener>), NO_UNWIND);
    assert_eq!(auto_traits!(Ending<SharedListener>), NO_UNWIND);
    assert_eq!(auto_traits!(RemovedListener<SharedListener>), NO_UNWIND);

    assert_eq!(auto_traits!(LocalListener), ONE_THREAD);
    assert_eq!(auto_traits!(Target<LocalListener>), ONE_THREAD);
    assert_eq!(auto_traits!(Pending<'static, LocalListener>), ONE_THREAD);
    assert_eq!(auto_traits!(Decided<'static, LocalListener>), ONE_THREAD);
    assert_eq!(auto_traits!(Ending<LocalListener>), ONE_THREAD);
    assert_eq!(auto_traits!(RemovedListener<LocalListener>), ONE_THREAD);
}

#[test]
fn a_dispatch_stays_where_it_is() {
    assert!(!has!(Dispatch<'static>: Sync));
}

#[cfg(feature = "std")]
#[test]
fn the_ends_of_a_channel_move_between_threads_and_outlive_a_panic() {
    assert_eq!(auto_traits!(TargetHandle), ALL);
    assert!(has!(TargetHandle: Clone));
    assert_eq!(auto_traits!(WeakTargetHandle), ALL);
    assert!(has!(WeakTargetHandle: Clone));
    assert_eq!(auto_traits!(EventStream), ALL);
    assert!(!has!(EventStream: Clone));
    assert!(has!(EventStream: futures::stream::FusedStream));
    assert_eq!(auto_traits!(Reserve), ALL);
    assert_eq!(auto_traits!(Permit), ALL);
    // Not those about a panic: the future has what `oneshot` has.
    assert_eq!(auto_traits!(Closed)[..3], ALL[..3]);
}

#[cfg(feature = "std")]
#[test]
fn a_broadcast_and_its_subscribers_move_between_threads_and_outlive_a_panic() {
    assert_eq!(auto_traits!(Broadcast), ALL);
    assert!(has!(Broadcast: Clone));
    // With predicates of the user's, which may hold anything that is `Send + Sync`.
    assert_eq!(auto_traits!(Subscription), NO_UNWIND);
    assert_eq!(auto_traits!(Subscribed), NO_UNWIND);
    assert_eq!(auto_traits!(Restart), NO_UNWIND);
    assert_eq!(auto_traits!(SubscribeOptions), NO_UNWIND);
    assert_eq!(auto_traits!(Merged), NO_UNWIND);
    assert!(!has!(Subscription: Clone) && has!(SubscribeOptions: Clone));
    assert!(has!(Subscription: futures::stream::FusedStream));
    assert!(has!(Merged: futures::stream::FusedStream));
    assert!(has!(Merged<sse_proto::Local>: Unpin) && !has!(Merged<sse_proto::Local>: Send));

    assert_eq!(auto_traits!(Retention), ALL);
    assert_eq!(auto_traits!(Scope), ALL);
    assert_eq!(auto_traits!(Metadata<'static>), ALL);
    assert_eq!(auto_traits!(BroadcastStatistics), ALL);
    assert_eq!(auto_traits!(SubscriptionEnd), ALL);
    assert_eq!(auto_traits!(PublishError), ALL);
    assert!(has!(PublishError: std::error::Error) && has!(PublishError: Copy));
}

#[cfg(feature = "std")]
#[test]
fn an_event_that_is_not_published_says_why() {
    let texts = [
        (PublishError::Closed, "the broadcast is closed"),
        (
            PublishError::TooLarge { len: 20, limit: 10 },
            "the event takes 20 bytes and the log retains 10",
        ),
        (
            PublishError::ScopeTooLong { len: 257 },
            "the scope takes 257 bytes and may take 256",
        ),
        (
            PublishError::HasId,
            "the event has an id, and the broadcast assigns ids",
        ),
        (
            PublishError::IsFrame,
            "a frame can't be given an id, and the broadcast assigns ids",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn adapters_go_where_what_they_hold_goes() {
    use sse_proto::adapt::{Coalesce, KeepAlive, Linger, Preamble, Until, WithPreamble};

    type Stream = futures::stream::Pending<sse_proto::bytes::Bytes>;
    type Future = std::future::Pending<()>;
    type Timer = fn(std::time::Duration) -> Future;
    type NoStream = futures::stream::LocalBoxStream<'static, sse_proto::bytes::Bytes>;

    assert_eq!(auto_traits!(Preamble<'static>), ALL);
    assert_eq!(auto_traits!(KeepAlive<Stream, Timer>), ALL);
    assert_eq!(auto_traits!(WithPreamble<Stream>), ALL);
    assert_eq!(auto_traits!(Until<Stream, Future>), ALL);
    assert_eq!(auto_traits!(Coalesce<Stream>), ALL);
    assert_eq!(auto_traits!(Linger<Stream, Timer>), ALL);
    assert!(!has!(KeepAlive<NoStream, Timer>: Send));
    assert!(!has!(Until<Stream, std::marker::PhantomPinned>: Unpin));
    assert!(has!(Linger<Stream, Timer>: futures::stream::FusedStream));
}

#[cfg(feature = "http")]
#[test]
fn a_body_goes_where_its_stream_goes() {
    use sse_proto::{Body, RequestError, http_body};

    type NoSend = futures::stream::LocalBoxStream<'static, sse_proto::bytes::Bytes>;

    assert_eq!(auto_traits!(Body<EventStream>), ALL);
    assert!(has!(Body<EventStream>: http_body::Body));
    assert!(has!(Body<EventStream>: Default));
    assert!(!has!(Body<NoSend>: Send));
    assert!(has!(Body<NoSend>: http_body::Body));

    assert_eq!(auto_traits!(RequestError), ALL);
    assert!(has!(RequestError: std::error::Error) && has!(RequestError: Copy));
    assert!(size_of::<RequestError>() <= 16);
    // Behind a server's own, this is what a connection that is idle takes for its body.
    assert!(size_of::<Body<EventStream>>() <= 40);
}

#[test]
fn the_ends_of_a_local_channel_stay_on_their_thread() {
    assert_eq!(auto_traits!(LocalTargetHandle), ONE_THREAD);
    assert_eq!(auto_traits!(LocalEventStream), ONE_THREAD);
}

#[test]
fn a_client_goes_everywhere_and_its_stream_where_its_parts_go() {
    use sse_proto::client::{
        Closed, ClosedReason, Down, DownReason, EventSource, EventSourceStream, Options, Output,
        Rejected, Repeat, Request, Response, State, UnsendableId, Update,
    };

    type Opening<B> = std::future::Ready<Result<(Response, B), std::io::Error>>;
    type Body = futures::stream::Pending<Result<Vec<u8>, std::io::Error>>;
    type Local = futures::stream::LocalBoxStream<'static, Result<Vec<u8>, std::io::Error>>;
    type Timer = fn(std::time::Duration) -> std::future::Pending<()>;
    type Clock = fn() -> std::time::Duration;
    type Open<B> = fn(Request) -> Opening<B>;
    type Stream<B> = EventSourceStream<Open<B>, Opening<B>, B, Vec<u8>, Timer, Clock>;

    assert_eq!(auto_traits!(EventSource), ALL);
    assert_eq!(auto_traits!(Options), ALL);
    assert_eq!(auto_traits!(Repeat), ALL);
    assert_eq!(auto_traits!(Output), ALL);
    assert_eq!(auto_traits!(Request), ALL);
    assert_eq!(auto_traits!(Response), ALL);
    assert_eq!(auto_traits!(State), ALL);
    assert_eq!(auto_traits!(Down), ALL);
    assert_eq!(auto_traits!(DownReason), ALL);
    assert_eq!(auto_traits!(Closed), ALL);
    assert_eq!(auto_traits!(ClosedReason), ALL);
    assert_eq!(auto_traits!(Rejected), ALL);
    assert_eq!(auto_traits!(UnsendableId), ALL);
    assert_eq!(auto_traits!(Update<std::io::ErrorKind>), ALL);
    assert!(has!(DownReason: std::error::Error) && has!(ClosedReason: std::error::Error));
    assert!(has!(Rejected: std::error::Error) && has!(UnsendableId: std::error::Error));
    assert!(has!(UnsendableId: Copy) && has!(Options: Copy) && !has!(EventSource: Clone));

    assert_eq!(auto_traits!(Stream<Body>)[..3], ALL[..3]);
    assert!(!has!(Stream<Local>: Send));
    assert!(has!(Stream<Body>: futures::stream::FusedStream));
}

#[test]
fn a_client_says_why_it_goes_down_and_why_it_closes() {
    use sse_proto::client::{
        ClosedReason, DownReason, EventSource, Options, Output, Response, UnsendableId,
    };
    use std::time::Duration;

    let texts = [
        (DownReason::Ended, "the event stream ended"),
        (
            DownReason::Interrupted,
            "the event stream ended within a block",
        ),
        (DownReason::IoError, "the connection failed"),
        (DownReason::ConnectTimeout, "no response came in time"),
        (DownReason::Idle, "the event stream was silent for too long"),
        (DownReason::NetworkLost, "the network is lost"),
        (DownReason::Reconnect, "a new connection was asked for"),
    ];
    for (reason, text) in texts {
        assert_eq!(reason.to_string(), text);
    }

    let last = DownReason::Ended;
    let elapsed = Duration::from_secs(90);
    let texts = [
        (ClosedReason::Here, "closed"),
        (
            ClosedReason::AttemptsExhausted {
                attempts: 3,
                last: last.clone(),
            },
            "gave up after 3 failures in a row: the event stream ended",
        ),
        (
            ClosedReason::TimeExhausted {
                elapsed,
                last: Some(last.clone()),
            },
            "gave up after 90s without progress: the event stream ended",
        ),
        (
            ClosedReason::TimeExhausted {
                elapsed,
                last: None,
            },
            "gave up after 90s without progress",
        ),
        (ClosedReason::NotRepeatable(last), "the event stream ended"),
        (
            ClosedReason::NotRepeatable(DownReason::IoError),
            "the connection failed, and the request is not sent twice",
        ),
        (
            ClosedReason::TooLarge(sse_proto::DecodeError::EventTooLong { limit: 5 }),
            "event is longer than the limit of 5 bytes",
        ),
    ];
    for (reason, text) in texts {
        assert_eq!(reason.to_string(), text);
    }

    let rejected = |response| {
        let options = Options::standard().with_max_redirects(0);
        let mut source = EventSource::new("http://localhost/", options, 0);
        source.start(Duration::ZERO);
        assert!(matches!(source.poll_output(), Some(Output::Request(_))));
        source.handle_response(Duration::ZERO, response);
        source.closed().expect("it is rejected").reason.to_string()
    };
    assert_eq!(rejected(Response::new(204)), "the server answered 204");
    assert_eq!(
        rejected(Response::new(200)),
        "the response has no content type"
    );
    assert_eq!(
        rejected(Response::new(200).with_content_type(b"text/\x1b[31mhtml")),
        "the content type is \"text/\\u{1b}[31mhtml\" and not text/event-stream"
    );
    assert_eq!(
        rejected(Response::new(302).with_location(b"/")),
        "too many redirects, the last with 302"
    );
    let mut source = EventSource::new("http://localhost/", Options::standard(), 0)
        .with_last_event_id(&EventId::new("a\u{7f}").expect("valid"));
    source.start(Duration::ZERO);
    let Some(Output::Request(request)) = source.poll_output() else {
        panic!()
    };
    assert_eq!(
        request.left_out().expect("it can't be sent").to_string(),
        "U+007F at byte 1 of the last event ID can't be part of a header"
    );
    assert_eq!(
        UnsendableId::TooLong { len: 5000 }.to_string(),
        "the last event ID has 5000 bytes, and up to 4096 are sent"
    );
    source.handle_response(Duration::ZERO, Response::new(302));
    assert_eq!(
        source.closed().expect("it is rejected").reason.to_string(),
        "the redirect with 302 leads nowhere"
    );
}

#[test]
fn errors_are_errors_and_copies() {
    assert!(has!(InvalidField: std::error::Error) && has!(InvalidField: Copy));
    assert!(has!(BufferTooSmall: std::error::Error) && has!(BufferTooSmall: Copy));
    assert!(has!(WriteError: std::error::Error) && has!(WriteError: Copy));
    assert!(has!(DispatchError: std::error::Error) && has!(DispatchError: Copy));
    assert!(has!(InvalidLastEventId: std::error::Error) && has!(InvalidLastEventId: Copy));
    assert!(has!(DecodeError: std::error::Error) && has!(DecodeError: Copy));
    assert!(has!(ReceiveError<std::io::Error>: std::error::Error));
    assert!(has!(ReceiveError<std::fmt::Error>: Copy));
}

#[cfg(target_pointer_width = "64")]
#[test]
fn no_type_grows_unnoticed() {
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
        ("InvalidLastEventId", size_of::<InvalidLastEventId>(), 16),
        ("Limits", size_of::<Limits>(), 40),
        ("Lines", size_of::<Lines<'_>>(), 16),
        ("ListenerId", size_of::<ListenerId>(), 8),
        ("On", size_of::<On>(), 32),
        ("SharedListener", size_of::<SharedListener>(), 16),
        ("Target", size_of::<Target>(), 264),
        ("WriteError", size_of::<WriteError>(), 16),
        (
            "client::EventSource",
            size_of::<sse_proto::client::EventSource>(),
            920,
        ),
        (
            "client::Options",
            size_of::<sse_proto::client::Options>(),
            176,
        ),
        ("client::Output", size_of::<sse_proto::client::Output>(), 88),
        (
            "client::Request",
            size_of::<sse_proto::client::Request>(),
            88,
        ),
        (
            "client::Response",
            size_of::<sse_proto::client::Response>(),
            72,
        ),
        ("client::State", size_of::<sse_proto::client::State>(), 1),
        #[cfg(feature = "std")]
        ("EventStream", size_of::<EventStream>(), 8),
        #[cfg(feature = "std")]
        ("TargetHandle", size_of::<TargetHandle>(), 8),
        #[cfg(feature = "std")]
        ("Closed", size_of::<Closed>(), 16),
        #[cfg(feature = "std")]
        ("Broadcast", size_of::<Broadcast>(), 8),
        #[cfg(feature = "std")]
        ("Subscription", size_of::<Subscription>(), 48),
        #[cfg(feature = "std")]
        ("PublishError", size_of::<PublishError>(), 24),
        #[cfg(feature = "std")]
        ("Reserve", size_of::<Reserve>(), 32),
        #[cfg(feature = "std")]
        ("Permit", size_of::<Permit>(), 32),
        ("AfterLimit", size_of::<AfterLimit>(), 1),
        ("Chunk", size_of::<Chunk<'_>>(), 72),
        ("DecodeError", size_of::<DecodeError>(), 16),
        ("DecodeLimits", size_of::<DecodeLimits>(), 32),
        ("Decoder", size_of::<Decoder>(), 456),
        ("Item", size_of::<Item<'_>>(), 80),
        ("MessageEvent", size_of::<MessageEvent<'_>>(), 80),
        ("OwnedItem", size_of::<OwnedItem>(), 48),
        ("OwnedMessageEvent", size_of::<OwnedMessageEvent>(), 48),
        ("ReceiveError", size_of::<ReceiveError<()>>(), 16),
        ("Text", size_of::<Text<'_>>(), 24),
        #[cfg(feature = "std")]
        ("DecodeRead", size_of::<DecodeRead<()>>(), 496),
        ("DecodeStream", size_of::<DecodeStream<(), ()>>(), 472),
    ]
    .into_iter()
    .filter(|(_, size, most)| size > most)
    .collect();
    assert!(grown.is_empty(), "(type, its size, what it was): {grown:?}");
}

#[test]
fn an_invalid_field_says_which_character_is_where() {
    let event_type = |text| EventType::new(text).expect_err("it is invalid").to_string();
    assert_eq!(event_type(""), "an event type can't be empty");
    assert_eq!(
        event_type("a\nb"),
        "LF (U+000A) at byte 1 can't be part of an event type"
    );
    assert_eq!(
        event_type("ä\r\n"),
        "CR (U+000D) at byte 2 can't be part of an event type"
    );

    let id = |text| EventId::new(text).expect_err("it is invalid").to_string();
    assert_eq!(id("\n"), "LF (U+000A) at byte 0 can't be part of an id");
    assert_eq!(id("12\r"), "CR (U+000D) at byte 2 can't be part of an id");
    assert_eq!(id("1\0\n"), "NUL (U+0000) at byte 1 can't be part of an id");
}

#[test]
fn a_buffer_that_is_too_small_says_by_how_much() {
    let error = sse_proto::encode_to_slice(&Event::message("hi"), &mut [0; 4]);
    assert_eq!(
        error.expect_err("it is too small").to_string(),
        "the event needs 10 bytes and the buffer has 4"
    );
}

#[test]
fn a_failed_write_says_why() {
    let texts = [
        (
            WriteError::TooLarge { limit: 64 },
            "the event takes more than 64 bytes",
        ),
        (
            WriteError::InvalidUtf8 { offset: 3 },
            "the data is not UTF-8 at byte 3",
        ),
        (WriteError::Aborted, "what makes the data failed"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_refused_dispatch_says_why() {
    let closed = |reason| DispatchError::Closed(reason);
    let texts = [
        (
            closed(CloseReason::Closed),
            "the event stream has ended: closed",
        ),
        (
            closed(CloseReason::Aborted),
            "the event stream has ended: aborted",
        ),
        (
            closed(CloseReason::ClientGone),
            "the event stream has ended: the client is gone",
        ),
        (
            closed(CloseReason::Overflow),
            "the event stream has ended: the queue overflowed",
        ),
        (
            closed(CloseReason::Failed),
            "the event stream has ended: failed",
        ),
        (
            closed(CloseReason::HandlesDropped),
            "the event stream has ended: every handle was dropped",
        ),
        (
            closed(CloseReason::Shutdown),
            "the event stream has ended: the server shuts down",
        ),
        (DispatchError::Full, "the queue of the event stream is full"),
        (
            DispatchError::TooLarge { len: 20, limit: 10 },
            "the event takes 20 bytes and the queue holds 10",
        ),
        (
            DispatchError::TooDeep,
            "listeners dispatched events within each other more than 16 deep",
        ),
        (
            DispatchError::HasId,
            "the event has an id, and the stream is merged into a broadcast",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn an_invalid_last_event_id_says_why() {
    let text = |header: &[u8]| {
        sse_proto::last_event_id(Some(header))
            .expect_err("it is invalid")
            .to_string()
    };
    assert_eq!(
        text(&[b'x'; 1025]),
        "the last event ID has 1025 bytes and may have 1024"
    );
    assert_eq!(text(b"ab\xff"), "the last event ID is not UTF-8 at byte 2");
    assert_eq!(
        text(b"4\0 2"),
        "bad last event ID: NUL (U+0000) at byte 1 can't be part of an id"
    );
    assert_eq!(
        InvalidLastEventId::Repeated.to_string(),
        "the last event ID comes more than once"
    );
}

#[cfg(feature = "http")]
#[test]
fn a_refused_request_says_why() {
    use sse_proto::RequestError;

    assert_eq!(
        RequestError::from(InvalidLastEventId::Repeated).to_string(),
        "the last event ID comes more than once"
    );
    assert_eq!(
        RequestError::NotAcceptable.to_string(),
        "the client does not accept text/event-stream"
    );
}

#[test]
fn an_event_past_a_limit_says_which() {
    let limit = 5;
    let texts = [
        (
            DecodeError::LineTooLong { limit },
            "line is longer than the limit of 5 bytes",
        ),
        (
            DecodeError::IdTooLong { limit },
            "id line is longer than the limit of 5 bytes",
        ),
        (
            DecodeError::EventTooLong { limit },
            "event is longer than the limit of 5 bytes",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
        let received = ReceiveError::<std::io::Error>::Decode(error);
        assert_eq!(received.to_string(), text);
        // It tells the same: who prints a chain of causes reads it once.
        assert!(std::error::Error::source(&received).is_none());
    }
}

#[test]
fn a_failed_transport_is_the_cause() {
    let error = ReceiveError::Transport(std::io::Error::other("reset"));
    assert_eq!(error.to_string(), "the transport failed");
    let source = std::error::Error::source(&error).expect("the cause");
    assert_eq!(source.to_string(), "reset");
}
