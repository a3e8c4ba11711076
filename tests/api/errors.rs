//! The texts of errors, and that they are errors.

#[cfg(feature = "std")]
use sse_proto::broadcast::PublishError;
use sse_proto::decode::{DecodeError, ReceiveError};
use sse_proto::event::{BufferTooSmall, InvalidField, WriteError};
use sse_proto::target::{CloseReason, DispatchError};
use sse_proto::{Decoder, Event, EventId, EventType};

use crate::has;

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
            PublishError::TopicTooLong,
            "the name of the topic takes more than 256 bytes",
        ),
        (
            PublishError::NoKey,
            "the id has no key, so it has no place in the order",
        ),
        (PublishError::OutOfOrder, "the id is not after the last id"),
        (
            PublishError::AssignsIds,
            "the broadcast assigns ids, so it takes only events without an id",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
    let id = |id: &str| {
        let event = Event::message("x").with_id(EventId::new(id).expect("an event may have it"));
        let broadcast = sse_proto::Broadcast::with_key(
            sse_proto::broadcast::Retention::default(),
            sse_proto::broadcast::Key::number(),
        );
        broadcast
            .publish(&event)
            .expect_err("it is refused")
            .to_string()
    };
    assert_eq!(
        id(&"x".repeat(1025)),
        "a published id has at most 1024 bytes"
    );
    assert_eq!(
        id("1 "),
        "space (U+0020) at byte 1 can't begin or end a published id"
    );
    assert_eq!(
        id("\t1"),
        "tab (U+0009) at byte 0 can't begin or end a published id"
    );
    assert_eq!(
        id("1\u{1B}2"),
        "control character (U+001B) at byte 1 can't be part of a published id"
    );
}

#[test]
fn errors_are_errors() {
    assert!(has!(InvalidField: std::error::Error));
    assert!(has!(BufferTooSmall: std::error::Error));
    assert!(has!(WriteError: std::error::Error));
    assert!(has!(DispatchError: std::error::Error) && has!(DispatchError: Copy));
    assert!(has!(DecodeError: std::error::Error) && has!(DecodeError: Copy));
    assert!(has!(ReceiveError<std::io::Error>: std::error::Error));
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
    let error = Event::message("hi").encode_to_slice(&mut [0; 4]);
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
        (WriteError::Aborted, "the source of the data failed"),
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
        (
            DecodeError::EventsTooLong { limit },
            "all events are longer than the limit of 5 bytes",
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
fn an_unfinished_block_is_told_without_its_text() {
    let mut decoder = Decoder::new();
    assert!(decoder.feed(b"data: secret").next().unwrap().is_none());
    let error = ReceiveError::<std::io::Error>::Unfinished(decoder.finish().unwrap());
    assert_eq!(error.to_string(), "the event stream ended within a block");
    assert!(std::error::Error::source(&error).is_none());
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn a_failed_transport_is_the_cause() {
    let error = ReceiveError::Transport(std::io::Error::other("reset"));
    assert_eq!(error.to_string(), "the transport failed");
    let source = std::error::Error::source(&error).expect("the cause");
    assert_eq!(source.to_string(), "reset");
}
