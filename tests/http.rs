//! HTTP's side: headers and the last event ID of a request.

use sse_proto::http::{
    HEADERS, HEADERS_HTTP1, accepts_event_stream, last_event_id, last_event_id_in_query,
};

#[test]
fn the_headers_hold_for_every_version_of_http() {
    assert_eq!(
        HEADERS,
        [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache, no-transform"),
            ("x-accel-buffering", "no"),
        ]
    );
    assert!(HEADERS.iter().all(|(name, _)| *name != "connection"));
}

#[test]
fn only_the_profile_for_http1_has_connection() {
    assert_eq!(HEADERS_HTTP1[..3], HEADERS);
    assert_eq!(HEADERS_HTTP1[3], ("connection", "keep-alive"));
}

#[test]
fn absent_and_empty_are_no_id() {
    assert_eq!(last_event_id(None).unwrap(), None);
    assert_eq!(last_event_id(Some(b"")).unwrap(), None);
    assert_eq!(last_event_id_in_query(None, "id").unwrap(), None);
    assert_eq!(last_event_id_in_query(Some(b""), "id").unwrap(), None);
    assert_eq!(last_event_id_in_query(Some(b"id"), "id").unwrap(), None);
    assert_eq!(last_event_id_in_query(Some(b"id="), "id").unwrap(), None);
    let other = last_event_id_in_query(Some(b"other=1&ide=2"), "id");
    assert_eq!(other.unwrap(), None);
}

#[test]
fn an_id_is_any_text_of_at_most_1_kib() {
    let longest = "é".repeat(512);
    let id = last_event_id(Some(longest.as_bytes())).unwrap().unwrap();
    assert_eq!(id, &*longest);
    let longer = "x".repeat(1025);
    assert_eq!(
        refusal(longer.as_bytes()),
        "the last event ID has 1025 bytes and may have 1024"
    );
}

/// Why a value of the header is refused.
fn refusal(value: &[u8]) -> String {
    let error = last_event_id(Some(value)).expect_err("it is refused");
    assert_eq!(error.status(), 400);
    error.to_string()
}

#[test]
fn what_no_client_sends_is_refused_with_its_place() {
    assert_eq!(
        refusal(b"ab\xFFc"),
        "the last event ID is not UTF-8 at byte 2"
    );
    for (value, text) in [
        (b"a\0", "NUL (U+0000) at byte 1 can't be part of an id"),
        (b"\r1", "CR (U+000D) at byte 0 can't be part of an id"),
        (b"1\n", "LF (U+000A) at byte 1 can't be part of an id"),
    ] {
        assert_eq!(refusal(value), format!("bad last event ID: {text}"));
    }
    let in_query = last_event_id_in_query(Some(b"id=1%0A2"), "id");
    assert_eq!(
        in_query.unwrap_err().to_string(),
        "bad last event ID: LF (U+000A) at byte 1 can't be part of an id",
        "decoded first"
    );
}

#[test]
fn a_query_is_decoded_as_a_form() {
    let id = |query: &'static str| {
        last_event_id_in_query(Some(query.as_bytes()), "id")
            .unwrap()
            .map(|id| id.to_string())
    };
    assert_eq!(id("id=7").as_deref(), Some("7"));
    assert_eq!(id("a=1&id=b%2Fc+d").as_deref(), Some("b/c d"));
    assert_eq!(
        id("id=1&id=2").as_deref(),
        Some("1"),
        "the first one counts"
    );
    assert_eq!(id("%69d=1").as_deref(), Some("1"), "names are decoded too");
    assert_eq!(id("id=%C3%A9").as_deref(), Some("é"));
    assert_eq!(
        id("id=100%&x").as_deref(),
        Some("100%"),
        "no escape: itself"
    );
    assert_eq!(id("id=%zz%4").as_deref(), Some("%zz%4"));
    assert_eq!(id("id=a=b").as_deref(), Some("a=b"));
}

/// Whether one line of `Accept` takes an event stream.
fn accepts(line: &str) -> bool {
    accepts_event_stream([line])
}

#[test]
fn no_accept_takes_everything() {
    let none: [&str; 0] = [];
    assert!(accepts_event_stream(none));
    assert!(accepts(""));
    assert!(accepts(" , ,"));
    assert!(accepts_event_stream(["", ""]));
}

#[test]
fn a_range_takes_an_event_stream_if_it_matches_it() {
    for line in [
        "text/event-stream",
        "TEXT/Event-Stream",
        "text/*",
        "*/*",
        "*",
        " text/event-stream\t",
        "text/html,text/event-stream",
        "application/json, text/event-stream",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        ", text/event-stream,",
        "text/event-stream;",
    ] {
        assert!(accepts(line), "{line}");
    }
    for line in [
        "text/html",
        "application/*",
        "text/event-streams",
        "text/event-strea",
        "text",
        "text/",
        "event-stream",
        "*/event-stream",
        "nonsense",
        "\u{E9}",
    ] {
        assert!(!accepts(line), "{line}");
    }
}

#[test]
fn a_quality_of_zero_says_no_and_any_other_yes() {
    for zero in ["0", "0.", "0.0", "0.00", "0.000"] {
        assert!(!accepts(&format!("text/event-stream;q={zero}")), "{zero}");
        assert!(!accepts(&format!("text/event-stream ; Q={zero}")), "{zero}");
        assert!(!accepts(&format!("*/*;q={zero}")), "{zero}");
    }
    for other in ["1", "1.000", "0.001", "0.5", ".2", "", "x", "-0"] {
        assert!(accepts(&format!("text/event-stream;q={other}")), "{other}");
    }
}

#[test]
fn the_most_precise_range_decides_wherever_it_stands() {
    assert!(!accepts("text/event-stream;q=0, text/*, */*"));
    assert!(!accepts("*/*, text/*, text/event-stream;q=0"));
    assert!(!accepts("*/*, text/*;q=0"));
    assert!(accepts("*/*;q=0, text/*"));
    assert!(accepts("text/*;q=0, */*;q=0, text/event-stream;q=0.1"));
    assert!(accepts("text/event-stream;q=0, text/event-stream"));
    assert!(!accepts_event_stream(["*/*", "text/event-stream;q=0"]));
    assert!(accepts_event_stream(["text/html", "*/*"]));
}

#[test]
fn parameters_are_part_of_the_type_and_an_event_stream_has_utf8_alone() {
    assert!(accepts("text/event-stream;charset=utf-8"));
    assert!(accepts("text/event-stream; Charset=\"UTF-8\""));
    assert!(accepts("text/event-stream;charset=utf-8;q=1"));
    assert!(!accepts("text/event-stream;charset=utf-8;q=0"));
    assert!(!accepts("text/event-stream;charset=latin1"));
    assert!(!accepts("text/event-stream;version=2"));
    assert!(!accepts("text/event-stream;flag"));
    assert!(accepts(
        "text/event-stream;version=2;q=0, text/event-stream"
    ));
    // Who writes spaces around the equals sign means the same.
    assert!(accepts("text/event-stream; charset = utf-8"));
    assert!(!accepts("text/event-stream; q = 0"));
    // Behind the weight stands what an older standard allowed there.
    assert!(accepts("text/event-stream;q=1;ext=2"));
}

#[test]
fn separators_within_quotes_are_text() {
    assert!(!accepts(r#"text/html;a=", text/event-stream""#));
    assert!(!accepts(r#"text/html;a="\", text/event-stream""#));
    assert!(accepts(r#"text/html;a="\\", text/event-stream"#));
    // RFC 9110, section 5.6.4: "Recipients that process the value of a quoted-string MUST handle a
    // quoted-pair as if it were replaced by the octet following the backslash." So an escaped quote
    // does not end the string, and the quote after it does.
    assert!(!accepts(r#"text/html;a="b\"c, text/event-stream""#));
    assert!(accepts(r#"text/html;a="b\"c", text/event-stream"#));
    assert!(accepts(r#"text/html;a="\"", text/event-stream"#));
    assert!(!accepts(r#"text/html;a="\\\", text/event-stream""#));
    assert!(!accepts(r#"text/event-stream;a="\";q=1""#));
    assert!(accepts(r#"text/html;a="b;q=0", text/event-stream"#));
    assert!(!accepts(r#"text/event-stream;a=";q=1""#));
    assert!(!accepts(r#"text/html;a="open, text/event-stream"#));
    // It escapes within quotes alone.
    assert!(accepts(r"text/html;a=\, text/event-stream"));
}
