//! What the origin (`ServerSentEventTarget` of Deno's standard library 0.203) promises, byte for
//! byte, and what it gets wrong, repaired.

#![cfg(feature = "std")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use sse_proto::target::{CloseReason, DispatchError, Limits, channel_with};
use sse_proto::{Event, EventId, EventStream, EventType, Target, channel};

fn received(target: &Target, stream: EventStream) -> String {
    target.close();
    let chunks: Vec<_> = block_on(stream.collect());
    String::from_utf8(chunks.concat()).unwrap()
}

/// What a client gets when one event is sent.
fn sent(event: &Event<'_>) -> String {
    let (target, stream) = channel();
    let _ = target.dispatch(event).unwrap();
    received(&target, stream)
}

fn typed(event_type: &'static str, data: &'static str) -> Event<'static> {
    Event::new(EventType::from_static(event_type), data)
}

#[test]
fn a_typed_message() {
    assert_eq!(
        sent(&typed("message", "foobar")),
        "event: message\ndata: foobar\n\n"
    );
}

#[test]
fn a_message_without_a_type() {
    let event = Event::message(r#"{"hello":"world"}"#);
    assert_eq!(sent(&event), "data: {\"hello\":\"world\"}\n\n");
}

#[cfg(feature = "json")]
#[test]
fn json_data() {
    let value = serde_json::json!({"hello": true});
    let event = Event::json(&value).unwrap();
    let event = event.with_event_type(EventType::from_static("ping"));
    assert_eq!(sent(&event), "event: ping\ndata: {\"hello\":true}\n\n");
}

#[test]
fn a_numeric_id() {
    let event = typed("ping", "foobar").with_id(1234_u32);
    assert_eq!(sent(&event), "event: ping\nid: 1234\ndata: foobar\n\n");
}

#[cfg(feature = "json")]
#[test]
fn indented_json_keeps_its_lines_and_its_indentation() {
    let value = serde_json::json!({"hello": [1, 2, 3]});
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"  ");
    let event = Event::json_with(&value, formatter).unwrap();
    let event = event.with_event_type(EventType::from_static("ping"));
    assert_eq!(
        sent(&event),
        "event: ping\n\
         data: {\n\
         data:   \"hello\": [\n\
         data:     1,\n\
         data:     2,\n\
         data:     3\n\
         data:   ]\n\
         data: }\n\n"
    );
}

#[test]
fn an_event_without_data_still_fires() {
    assert_eq!(sent(&typed("reload", "")), "event: reload\ndata: \n\n");
}

/// The origin's bytes were `: foobar\n\n`. A client needs no blank line after a comment, and deployed
/// parsers (httpx-sse, fetch-event-source, openai for Python) make an empty message of it. The
/// origin's form is there for those who need it.
#[test]
fn a_comment() {
    let (target, stream) = channel();
    target.dispatch_comment("foobar").unwrap();
    assert_eq!(received(&target, stream), ": foobar\n");
}

#[test]
fn a_comment_in_the_form_of_the_origin() {
    let (target, stream) = channel();
    target.set_blank_line(true);
    target.clone().dispatch_comment("foobar").unwrap();
    assert_eq!(received(&target, stream), ": foobar\n\n");
    let comment = Event::block().with_comment("foobar");
    assert_eq!(sent(&comment.with_blank_line(true)), ": foobar\n\n");
}

#[test]
fn a_closed_targets_stream_ends() {
    let (target, mut stream) = channel();
    assert!(!target.is_closed());
    target.close();
    assert!(target.is_closed());
    assert_eq!(block_on(stream.next()), None);
    assert_eq!(block_on(stream.next()), None, "an ended stream stays ended");
}

/// Counts what runs: close listeners and error listeners.
fn counted(target: &Target) -> Arc<[AtomicUsize; 2]> {
    let counts: Arc<[AtomicUsize; 2]> = Arc::default();
    let (close, error) = (Arc::clone(&counts), Arc::clone(&counts));
    target.on_close(move |_| _ = close[0].fetch_add(1, Ordering::SeqCst));
    target.on_error(move |_| _ = error[1].fetch_add(1, Ordering::SeqCst));
    counts
}

fn counts(counts: &[AtomicUsize; 2]) -> (usize, usize) {
    (
        counts[0].load(Ordering::SeqCst),
        counts[1].load(Ordering::SeqCst),
    )
}

#[test]
fn a_client_that_goes_away_runs_close_listeners_only() {
    let (target, stream) = channel();
    let ran = counted(&target);
    drop(stream);
    assert_eq!(counts(&ran), (1, 0));
    assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
    target.close();
    assert_eq!(counts(&ran), (1, 0), "once, and the first reason stays");
    assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
}

#[test]
fn a_failing_body_runs_close_and_then_error_listeners() {
    let (target, stream) = channel();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (close, error) = (Arc::clone(&order), Arc::clone(&order));
    target.on_error(move |e| error.lock().unwrap().push(format!("error: {e}")));
    target.on_close(move |reason| close.lock().unwrap().push(format!("close: {reason}")));
    stream.fail("the socket broke");
    assert_eq!(
        *order.lock().unwrap(),
        ["close: failed", "error: the socket broke"]
    );
    assert_eq!(target.close_reason(), Some(CloseReason::Failed));
    assert_eq!(target.error().unwrap().to_string(), "the socket broke");
}

#[test]
fn an_event_can_not_fake_a_close_or_an_error() {
    let (target, stream) = channel();
    let ran = counted(&target);
    target.dispatch(&typed("close", "")).unwrap();
    target.dispatch(&typed("error", "")).unwrap();
    assert!(!target.is_closed());
    assert_eq!(counts(&ran), (0, 0));
    let wire = received(&target, stream);
    assert_eq!(wire, "event: close\ndata: \n\nevent: error\ndata: \n\n");
}

// What the origin got wrong.

#[test]
fn id_zero_is_an_id() {
    assert_eq!(
        sent(&Event::message("x").with_id(0_u8)),
        "id: 0\ndata: x\n\n"
    );
}

#[test]
fn the_empty_id_resets() {
    let event = Event::message("x").with_id(EventId::from_static(""));
    assert_eq!(sent(&event), "id: \ndata: x\n\n");
}

#[test]
fn a_cr_in_data_is_an_end_of_line() {
    assert_eq!(
        sent(&Event::message("a\rb\r\nc")),
        "data: a\ndata: b\ndata: c\n\n"
    );
}

#[test]
fn a_newline_in_the_type_is_refused() {
    let error = EventType::new("tick\ndata: evil").unwrap_err();
    assert_eq!((error.character(), error.offset()), (Some('\n'), 4));
}

#[test]
fn a_comment_after_close_is_an_error() {
    let (target, _stream) = channel();
    target.close();
    assert_eq!(
        target.dispatch_comment("late"),
        Err(DispatchError::Closed(CloseReason::Closed))
    );
}

#[test]
fn the_queue_is_bounded() {
    let (target, _stream) = channel_with(Limits::new().with_max_frames(2));
    assert!(target.dispatch_message("1").is_ok());
    assert!(target.dispatch_message("2").is_ok());
    assert_eq!(target.dispatch_message("3"), Err(DispatchError::Full));
}

#[test]
fn closed_is_exact() {
    let (target, stream) = channel();
    let closed = target.closed();
    let seen_inside = Arc::new(Mutex::new(None));
    let (seen, weak) = (Arc::clone(&seen_inside), target.downgrade());
    target.on_close(move |_| {
        *seen.lock().unwrap() = weak.upgrade().map(|target| target.is_closed());
    });
    drop(stream);
    assert!(target.is_closed());
    assert_eq!(*seen_inside.lock().unwrap(), Some(true));
    assert_eq!(closed.now_or_never(), Some(CloseReason::ClientGone));
}
