//! HTTP's side: the headers of a response, and `Accept` of a request.

use sse_proto::http::{HEADERS, accepts_event_stream};

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

#[cfg(feature = "http")]
#[test]
fn the_lines_of_a_header_map_are_one_list() {
    use sse_proto::deps::http::{HeaderMap, HeaderValue, header::ACCEPT};

    let lines = |lines: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_static(line));
        }
        accepts_event_stream(headers.get_all(ACCEPT))
    };
    assert!(lines(&[]));
    assert!(lines(&["text/html", "text/event-stream"]));
    assert!(!lines(&["*/*", "text/html, text/event-stream;q=0"]));
}
