//! 9.2.5 "Parsing an event stream".

use sse_proto::{Decoder, Item};

use crate::{decode, decode_with};

/// > The event stream format is as described by the stream production of the following ABNF, the character set for
/// > which is Unicode.
/// >
/// > stream        = [ bom ] *event
/// >
/// > bom           = %xFEFF ; U+FEFF BYTE ORDER MARK
#[test]
fn a_stream_may_begin_with_one_byte_order_mark() {
    assert_eq!(decode(b"\xEF\xBB\xBFdata: x\n\n"), ["message//x"]);
    assert_eq!(decode(b"\xEF\xBB\xBF\ndata: x\n\n"), ["message//x"]);
    assert_eq!(decode(b"\xEF\xBB\xBF\r\ndata: x\n\n"), ["message//x"]);
    assert_eq!(decode(b"\xEF\xBB\xBF\xEF\xBB\xBFdata: x\n\n"), [""; 0]);
    assert_eq!(decode(b"\n\xEF\xBB\xBFdata: x\n\n"), [""; 0]);
}

/// > event         = *( comment / field ) end-of-line
#[test]
fn an_event_is_lines_and_a_blank_line() {
    assert_eq!(decode(b": c\nevent: e\n: c\ndata: x\n: c\n\n"), ["e//x"]);
}

/// > comment       = colon *any-char end-of-line
/// >
/// > colon         = %x003A ; U+003A COLON (:)
#[test]
fn a_comment_is_all_that_follows_a_colon() {
    assert_eq!(decode(b":\n:data: x\n::\n: \xFF\0\n\n"), [""; 0]);
    assert_eq!(
        decode_with(Decoder::new().with_comments(true), b": a\n:b\n"),
        ["Comment(\"a\")", "Comment(\"b\")"]
    );
}

/// > field         = 1*name-char [ colon [ space ] *any-char ] end-of-line
/// >
/// > space         = %x0020 ; U+0020 SPACE
#[test]
fn a_field_may_lack_its_colon_and_its_space() {
    assert_eq!(
        decode(b"data\n\ndata:\n\ndata:x\n\ndata: x\n\n"),
        ["message//", "message//", "message//x", "message//x"]
    );
}

/// > end-of-line   = ( cr lf / cr / lf )
/// >
/// > lf            = %x000A ; U+000A LINE FEED (LF)
/// >
/// > cr            = %x000D ; U+000D CARRIAGE RETURN (CR)
#[test]
fn a_line_ends_with_any_of_three() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = ["event: e", "id: 1", "data: a", "data: b", "", ""].join(end);
        assert_eq!(decode(stream.as_bytes()), ["e/1/a\nb"], "{end:?}");
    }
}

/// > name-char     = %x0000-0009 / %x000B-000C / %x000E-0039 / %x003B-10FFFF
/// > ; a scalar value other than U+000A LINE FEED (LF), U+000D CARRIAGE RETURN (CR), or U+003A COLON (:)
/// >
/// > any-char      = %x0000-0009 / %x000B-000C / %x000E-10FFFF
/// > ; a scalar value other than U+000A LINE FEED (LF) or U+000D CARRIAGE RETURN (CR)
#[test]
fn any_other_character_is_text() {
    let text = "a\u{0}\u{B}\u{C}\u{85}\u{2028}\u{2029}\u{FEFF}:b";
    assert_eq!(
        decode(format!("data: {text}\n\n").as_bytes()),
        [format!("message//{text}")]
    );
    let name = "a\u{0}\u{B}\u{C}\u{85}\u{2028}\u{FEFF}";
    assert_eq!(
        decode(format!("{name}: x\n{name}\ndata: y\n\n").as_bytes()),
        ["message//y"]
    );
}

/// > Event streams in this format must always be encoded as UTF-8.
#[test]
fn what_is_not_utf_8_is_replaced() {
    assert_eq!(decode(b"data: a\xFFb\n\n"), ["message//a\u{FFFD}b"]);
    // One for each maximal subpart.
    assert_eq!(decode(b"data: \xF0\x9F\x98\n\n"), ["message//\u{FFFD}"]);
    assert_eq!(
        decode(b"data: \xE2\x82\xE2\x82\xAC\n\n"),
        ["message//\u{FFFD}\u{20AC}"]
    );
    assert_eq!(
        decode(b"data: \xED\xA0\x80\n\n"),
        ["message//\u{FFFD}\u{FFFD}\u{FFFD}"]
    );
}

/// > Lines must be separated by either a U+000D CARRIAGE RETURN U+000A LINE FEED (CRLF) character pair, a single
/// > U+000A LINE FEED (LF) character, or a single U+000D CARRIAGE RETURN (CR) character.
#[test]
fn crlf_is_one_end_also_when_it_is_split() {
    let mut decoder = Decoder::new();
    assert_eq!(decoder.feed(b"data: a\r").next(), Ok(None));
    assert_eq!(decoder.feed(b"\ndata: b\r\n").next(), Ok(None));
    let mut items = decoder.feed(b"\r");
    let event = items.next().unwrap().and_then(Item::into_event);
    assert_eq!(event.expect("a CR dispatches at once").data(), "a\nb");
    assert_eq!(decoder.feed(b"\n").next(), Ok(None));
    assert_eq!(decoder.feed(b"\r\n").next(), Ok(None));
}

/// > Since connections established to remote servers for such resources are expected to be long-lived, UAs should
/// > ensure that appropriate buffering is used. In particular, while line buffering with lines are defined to end
/// > with a single U+000A LINE FEED (LF) character is safe, block buffering or line buffering with different
/// > expected line endings can cause delays in event dispatch.
#[test]
fn no_event_waits_for_a_byte_it_does_not_need() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = format!("data: a{end}{end}");
        let mut decoder = Decoder::new();
        let needed = if end == "\r\n" {
            stream.len() - 1
        } else {
            stream.len()
        };
        for (at, byte) in stream.bytes().enumerate() {
            let told = decoder.feed(&[byte]).next().unwrap().is_some();
            assert_eq!(told, at + 1 == needed, "{end:?}, byte {at}");
        }
    }
}
