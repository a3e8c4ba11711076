//! The events of a receiving stream and nothing else, by one name on each of the three.

#![cfg(feature = "std")]

mod support;

use std::fmt::Debug;
use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::task::Context;
use std::time::Duration;

use futures::executor::block_on;
use futures::{Stream, StreamExt, stream};
use sse_proto::client::{EventSourceStream, LossReason, Options, Request, Response};
use sse_proto::decode::{DecodeLimits, DecodeRead, DecodeStream, OwnedMessageEvent};
use sse_proto::{Decoder, EventSource};
use support::fakes::Wakes;

/// Two events, and one of each item that is no event; an event above the limit between them.
const BYTES: &str = ": comment\nretry: 1\n\nevent: stream-start\nid: 1\ndata\n\ndata: a\n\nid: 2\n\n\
                     data: an event that exceeds the limit\n\nevent: tick\ndata: b\n\n";

const LIMITS: DecodeLimits = DecodeLimits::new().with_max_event_bytes(32);

fn decoder() -> Decoder {
    let decoder = Decoder::new().with_limits(LIMITS).with_comments(true);
    decoder.with_last_event_ids(true)
}

fn told<E: Debug>(event: Result<OwnedMessageEvent, E>) -> String {
    event.map_or_else(
        |error| format!("{error:?}"),
        |event| format!("{}={}", event.event_type(), event.data()),
    )
}

#[test]
fn a_stream_of_chunks_has_its_events_and_its_errors() {
    let body = stream::iter([Ok(BYTES), Ok("data: cut"), Err("reset")]);
    let events = DecodeStream::new(body, decoder()).events();
    let told: Vec<String> = block_on(events.map(told).collect());
    assert_eq!(
        told,
        [
            "message=a",
            "Decode(EventTooLong { limit: 32 })",
            "tick=b",
            "Transport(\"reset\")"
        ]
    );
}

#[test]
fn a_reader_has_its_events_and_its_errors_and_gives_its_decoder_back() {
    let bytes = [BYTES, "data: cut"].concat();
    let mut events = DecodeRead::new(bytes.as_bytes(), decoder()).events();
    let told: Vec<String> = events.by_ref().map(told).collect();
    assert_eq!(
        told[..3],
        ["message=a", "Decode(EventTooLong { limit: 32 })", "tick=b"]
    );
    assert!(told[3].starts_with("Unfinished("), "{told:?}");
    assert_eq!(told.len(), 4);
    assert_eq!(events.into_inner().into_decoder().last_event_id(), "2");
}

type Body = stream::Iter<std::array::IntoIter<Result<&'static str, std::io::Error>, 1>>;

/// Answers each request in turn with a status and [`BYTES`].
fn answering(
    statuses: &'static [u16],
) -> impl FnMut(Request) -> Ready<Result<(Response, Body), std::io::Error>> {
    let mut statuses = statuses.iter();
    move |_| {
        let status = *statuses.next().expect("no other request");
        let head = Response::from_headers(status, [("content-type", "text/event-stream")]);
        ready(Ok((head, stream::iter([Ok(BYTES)]))))
    }
}

fn client(
    method: &str,
    statuses: &'static [u16],
) -> impl Stream<Item = Result<OwnedMessageEvent, sse_proto::client::Loss>> {
    let options = Options::standard()
        .with_comments(true)
        .with_decode_limits(LIMITS)
        .with_delay_bounds(Duration::ZERO, Duration::ZERO);
    let source = EventSource::new("http://localhost/", options).with_method(method);
    EventSourceStream::new(source, answering(statuses), |_| ready(())).events()
}

#[test]
fn a_client_has_its_events_over_reconnections_and_ends_at_204() {
    let events = client("GET", &[200, 200, 204]).map(|event| match event {
        Ok(event) => event.data().to_owned(),
        Err(loss) => {
            assert!(matches!(loss.reason, LossReason::TooLarge(_)));
            loss.to_string()
        }
    });
    let data: Vec<String> = block_on(events.collect());
    let lost = "event is longer than the limit of 32 bytes";
    assert_eq!(data, ["a", lost, "b", "a", lost, "b"]);
}

#[test]
fn a_refusal_is_the_last_error_of_a_client() {
    let mut events = pin!(client("GET", &[403]));
    let loss = block_on(events.next()).unwrap().unwrap_err();
    assert_eq!(loss.reason, LossReason::Rejected(403));
    assert!(block_on(events.next()).is_none());
}

#[test]
fn the_whole_answer_to_a_post_ends_the_events_without_an_error() {
    let events = client("POST", &[200]).filter_map(async |event| event.ok());
    assert_eq!(block_on(events.count()), 2);
}

#[test]
fn items_that_are_skipped_let_go_of_the_poll() {
    let endless = stream::repeat(Ok::<_, ()>("retry: 1\n"));
    let mut events = DecodeStream::new(endless, Decoder::new()).events();
    let wakes = Wakes::new();
    let task = wakes.waker();
    let mut context = Context::from_waker(&task);
    assert!(Pin::new(&mut events).poll_next(&mut context).is_pending());
    assert_eq!(wakes.count(), 1);
}

#[test]
fn each_client_has_a_seed_of_its_own() {
    let options = || Options::resilient().with_retry_if(|_| true);
    let mut delays: Vec<_> = (0..8)
        .map(|_| {
            let mut source = EventSource::new("http://localhost/", options());
            source.start(Duration::ZERO);
            assert!(source.poll_output().is_some());
            source.handle_error(Duration::ZERO, "refused");
            source.next_deadline()
        })
        .collect();
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 1, "{delays:?}");
}

#[cfg(feature = "http")]
mod http {
    use sse_proto::client::{Options, Output, Response};
    use sse_proto::deps::http;
    use sse_proto::{EventId, EventSource};
    use std::time::Duration;

    #[test]
    fn a_request_becomes_one_of_the_crate_http() {
        let url = "http://localhost/a?b=1";
        let id = EventId::new("漢").unwrap();
        let mut source = EventSource::new(url, Options::standard())
            .with_method("PUT")
            .with_last_event_id(&id);
        source.start(Duration::ZERO);
        let Some(Output::Request(request)) = source.poll_output() else {
            panic!()
        };
        let sent = http::Request::try_from(&request).unwrap();
        assert_eq!(
            (sent.method().as_str(), sent.uri().to_string()),
            ("PUT", url.into())
        );
        assert_eq!(sent.headers()["last-event-id"].as_bytes(), "漢".as_bytes());
        assert_eq!(sent.headers().len(), request.headers().count());
    }

    #[test]
    fn a_url_that_the_crate_http_refuses_is_an_error() {
        let mut source = EventSource::new("http://a b/", Options::standard());
        source.start(Duration::ZERO);
        let Some(Output::Request(request)) = source.poll_output() else {
            panic!()
        };
        assert!(http::Request::try_from(&request).is_err());
    }

    #[test]
    fn a_response_of_the_crate_http_is_read_with_all_its_lines() {
        let response = http::Response::builder()
            .status(503)
            .header("content-encoding", "br")
            .header("content-encoding", "gzip")
            .body(())
            .unwrap();
        let response = Response::from(&response);
        assert_eq!(response.status(), 503);
        assert_eq!(response.content_encoding(), Some("br, gzip"));
    }
}
