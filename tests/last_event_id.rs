//! The last event ID of a request: read from the header and from the query, and never refused. What a
//! broadcast publishes comes back.

#![cfg(feature = "std")]

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use sse_proto::broadcast::{Key, Retention, Subscribed};
use sse_proto::event::LastEventId;
use sse_proto::http::last_event_id;
use sse_proto::{Broadcast, Event, EventId};
use support::laws_ids::{
    PARAMETER, a_request_is_read_like_a_naive_reader_does, what_is_published_comes_back,
};

fn id(text: &str) -> LastEventId<'_> {
    LastEventId::Id(EventId::new(text).expect("it is an id"))
}

fn in_header<'a>(lines: &[&'a str]) -> LastEventId<'a> {
    last_event_id(lines.iter().copied(), None, "")
}

fn in_query(query: &str) -> LastEventId<'_> {
    last_event_id([""], Some(query), PARAMETER)
}

// In the header.

#[test]
fn absent_and_empty_are_no_id() {
    assert_eq!(in_header(&[]), LastEventId::None);
    // "If the EventSource object's last event ID string is not the empty string, then: [...] Set
    // (`Last-Event-ID`, lastEventIDValue) in request's header list." So an empty header is none.
    for line in ["", " ", "\t "] {
        assert_eq!(in_header(&[line]), LastEventId::None);
        assert_eq!(in_header(&[line, line]), LastEventId::None);
    }
    for query in [
        "",
        "id=7",
        "lastEventId",
        "lastEventId=",
        "a&&=&lastEventIds=1",
    ] {
        assert_eq!(in_query(query), LastEventId::None, "{query}");
    }
    assert_eq!(last_event_id([""], None, PARAMETER), LastEventId::None);
}

#[test]
fn an_id_is_any_text_that_can_be_published() {
    let longest = "é".repeat(512);
    for text in ["0", "42", "-1", "é/42", "a b\tc", "\u{20AC}", &longest] {
        assert_eq!(in_header(&[text]), id(text));
    }
    // "A field value does not include leading or trailing whitespace" (RFC 9110, section 5.5).
    assert_eq!(in_header(&["\t 42 "]), id("42"));
}

#[test]
fn what_no_broadcast_publishes_is_invalid() {
    let long = "x".repeat(1025);
    for text in ["1\u{0}2", "1\r", "\n1", "4\u{7F}2", "\u{1}", &long] {
        assert_eq!(in_header(&[text]), LastEventId::Invalid, "{text:?}");
    }
    let not_utf8 = [b"1\xFF".as_slice()];
    assert_eq!(last_event_id(not_utf8, None, ""), LastEventId::Invalid);
}

/// A list and its lines are the same (RFC 9110, section 5.2), and an id may have commas.
#[test]
fn several_lines_are_one_value() {
    assert_eq!(in_header(&["a, b"]), id("a, b"));
    assert_eq!(in_header(&["a", "b"]), id("a, b"));
    assert_eq!(in_header(&["", "a", " "]), id("a"));
    let half = "x".repeat(512);
    assert_eq!(in_header(&[&half, &half]), LastEventId::Invalid);
}

#[test]
fn a_client_that_sends_two_ids_is_not_resumed_after_either() {
    let broadcast = Broadcast::with_key(Retention::default(), Key::number());
    for number in [41_u32, 42] {
        let event = Event::message("x").with_id(number);
        broadcast.publish(&event).expect("it is open");
    }
    for lines in [&["41", "42"][..], &["42, 41"], &["41", "41"]] {
        let subscribed = broadcast.subscribe(in_header(lines));
        assert!(matches!(subscribed, Subscribed::Unknown(_)), "{lines:?}");
    }
}

// In the query.

#[test]
fn a_query_is_decoded_as_a_form() {
    for (query, text) in [
        ("lastEventId=7", "7"),
        ("a=1&lastEventId=b%2Fc+d", "b/c d"),
        ("%6CastEvent%49d=1", "1"),
        ("lastEventId=%C3%A9", "é"),
        ("lastEventId=\u{E9}", "é"),
        ("lastEventId=a=b", "a=b"),
        ("lastEventId=%2B%25%26%3d", "+%&="),
        ("lastEventId=1526919030474-55", "1526919030474-55"),
    ] {
        assert_eq!(in_query(query), id(text), "{query}");
    }
}

#[test]
fn a_query_that_no_broadcast_publishes_is_invalid() {
    let long = format!("lastEventId={}", "%41".repeat(1025));
    for query in [
        "lastEventId=%zz",
        "lastEventId=100%",
        "lastEventId=7%4",
        "lastEventId=%+1",
        "lastEventId=%\u{E9}",
        "lastEventId=%FF",
        "lastEventId=1%0A2",
        "lastEventId=1%002",
        "lastEventId=+7",
        "lastEventId=7%20",
        "lastEventId=%09",
        &long,
    ] {
        assert_eq!(in_query(query), LastEventId::Invalid, "{query}");
    }
    // A name that can't be decoded is another name.
    assert_eq!(in_query("lastEventI%6=7&lastEventI%64=8"), id("8"));
}

/// What event-source-polyfill 1.0.31 and eventsource-polyfill 0.9.6 ask for when they come back to a
/// page's URL that has an id already.
#[test]
fn of_several_ids_in_a_query_the_last_counts() {
    assert_eq!(in_query("lastEventId=41&room=7&lastEventId=42"), id("42"));
    let query = Some("evs_last_event_id=41&evs_preamble=2056&evs_last_event_id=42");
    assert_eq!(last_event_id([""], query, "evs_last_event_id"), id("42"));
    // An empty one is none.
    assert_eq!(
        in_query("lastEventId=41&lastEventId=&lastEventId"),
        id("41")
    );
    assert_eq!(
        in_query("lastEventId=41&lastEventId=%FF"),
        LastEventId::Invalid
    );
}

// Both.

/// A browser that reconnects sends the URL of its first request again.
#[test]
fn the_header_counts_before_the_query() {
    let query = Some("lastEventId=41");
    assert_eq!(last_event_id(["42"], query, PARAMETER), id("42"));
    let invalid = last_event_id(["\u{1}"], query, PARAMETER);
    assert_eq!(invalid, LastEventId::Invalid);
    assert_eq!(last_event_id([""], query, PARAMETER), id("41"));
    let none: [&str; 0] = [];
    assert_eq!(last_event_id(none, query, PARAMETER), id("41"));
}

#[cfg(feature = "http")]
#[test]
fn a_request_of_the_crate_http_is_read_as_it_is() {
    use sse_proto::deps::http::{HeaderValue, Request};

    let request = |uri: &str, lines: &[&[u8]]| {
        let mut request = Request::get(uri);
        for line in lines {
            let line = HeaderValue::from_bytes(line).expect("it is a value");
            request = request.header("Last-Event-ID", line);
        }
        let request = request.body(()).expect("it is a request");
        let header = request.headers().get_all("last-event-id");
        last_event_id(header, request.uri().query(), PARAMETER).into_owned()
    };
    assert_eq!(request("/events", &[]), LastEventId::None);
    assert_eq!(request("/events", &["é/42".as_bytes()]), id("é/42"));
    assert_eq!(request("/events", &[b"\xFF"]), LastEventId::Invalid);
    assert_eq!(request("/events?lastEventId=1", &[b"2"]), id("2"));
    assert_eq!(request("/events?lastEventId=a%2Fb", &[]), id("a/b"));
}

// What a broadcast does with it.

#[test]
fn an_invalid_id_is_an_unknown_one() {
    for broadcast in [
        Broadcast::with_key(Retention::default(), Key::number()),
        Broadcast::new(Retention::default()),
    ] {
        let event = Event::message("x");
        broadcast.publish(&event).expect("it is open");
        let invalid = broadcast.subscribe(LastEventId::Invalid);
        assert!(matches!(invalid, Subscribed::Unknown(_)));
        let none = broadcast.subscribe(LastEventId::None);
        assert!(matches!(none, Subscribed::Live(_)));
    }
}

#[test]
fn a_subscription_takes_an_id_however_it_is_given() {
    let key = Key::from_fn(|id| u128::try_from(id.parse::<i64>().ok()? + 100).ok());
    let broadcast = Broadcast::with_key(Retention::default(), key);
    let number = EventId::from(-7_i64);
    let event = Event::message("x").with_id(number.clone());
    broadcast.publish(&event).expect("it is open");
    for given in [
        LastEventId::from(Some(number.clone())),
        LastEventId::from(&number),
        LastEventId::from(-7),
        number.clone().into(),
        id("-7"),
    ] {
        let subscribed = broadcast.subscribe(given);
        assert!(matches!(subscribed, Subscribed::Resumed { missed: 0, .. }));
    }
    let empty = EventId::from_static("");
    for given in [
        LastEventId::from(None),
        Some(empty.clone()).into(),
        LastEventId::from(&empty),
        LastEventId::Id(EventId::from_static("")),
    ] {
        assert!(matches!(broadcast.subscribe(given), Subscribed::Live(_)));
    }
}

/// Ids, good and bad: what is special in headers and queries is frequent.
fn texts() -> impl Strategy<Value = String> {
    let special = "[ \t,;%+&=\"#?a0~\u{1}\u{7F}\u{85}\u{E9}\u{20AC}\u{1F600}]{0,12}";
    prop_oneof![
        4 => special,
        2 => "[!-~]{0,40}",
        2 => ".{0,40}",
        1 => any::<String>(),
        1 => "[a-z\u{E9}]{500,1040}",
    ]
}

fn queries() -> impl Strategy<Value = String> {
    let pair = prop_oneof![
        3 => "lastEventId=[%+=0-9a-fA-F\u{E9}]{0,9}",
        2 => "(last|l%61st|l+st)EventI(d|%64|%6)=(%[0-9a-fF]{2}){0,5}",
        1 => "[%&=+ -~]{0,9}",
        1 => "lastEventId=(%20|a|%FF|%C3%A9){300,1100}",
    ];
    vec(pair, 0..5).prop_map(|pairs| pairs.join("&"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_id_that_is_published_comes_back_unchanged(text in texts()) {
        what_is_published_comes_back(&text);
    }

    #[test]
    fn every_request_is_read(
        lines in vec(vec(prop_oneof![Just(b' '), Just(b','), Just(b'a'), any::<u8>()], 0..9), 0..4),
        query in proptest::option::of(queries()),
    ) {
        let lines: Vec<_> = lines.iter().map(Vec::as_slice).collect();
        a_request_is_read_like_a_naive_reader_does(&lines, query.as_deref());
    }
}
