//! 9.2.6 "Interpreting an event stream".

use std::time::Duration;

use sse_proto::{Decoder, EventId, Item};

use crate::{decode, decode_with};

/// > Streams must be decoded using the UTF-8 decode algorithm.
/// >
/// > The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any.
#[test]
fn one_byte_order_mark_is_stripped() {
    assert_eq!(
        decode(b"\xEF\xBB\xBFdata: \xEF\xBB\xBFa\n\n\xEF\xBB\xBFdata: b\n\n"),
        ["message//\u{FEFF}a"]
    );
    assert_eq!(
        decode(b"\xEF\xBBdata: a\n\ndata: b\xEF\xBB\n\n"),
        ["message//b\u{FFFD}"]
    );
}

/// > The stream must then be parsed by reading everything line by line, with a U+000D CARRIAGE RETURN U+000A LINE
/// > FEED (CRLF) character pair, a single U+000A LINE FEED (LF) character not preceded by a U+000D CARRIAGE RETURN
/// > (CR) character, and a single U+000D CARRIAGE RETURN (CR) character not followed by a U+000A LINE FEED (LF)
/// > character being the ways in which a line can end.
#[test]
fn each_way_to_end_a_line_is_one_end() {
    assert_eq!(
        decode(b"data: a\r\ndata: b\rdata: c\ndata: d\n\r\ndata: e\r\r\ndata: f\r\n\r"),
        ["message//a\nb\nc\nd", "message//e", "message//f"]
    );
}

/// > When a stream is parsed, a data buffer, an event type buffer, and a last event ID buffer must be associated
/// > with it. They must be initialized to the empty string.
///
/// A decoder told of the last event ID string of an earlier connection starts with that, as browsers do; of the
/// data and the type nothing is left.
#[test]
fn the_buffers_start_empty() {
    assert_eq!(decode(b"data\n\n"), ["message//"]);
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(b"event: e\ndata: a\nid: 1\n");
    assert!(matches!(items.next(), Ok(None)));
    decoder.reconnect();
    assert_eq!(decode_with(decoder, b"data: b\n\n"), ["message//b"]);
    let decoder = Decoder::new().with_last_event_id(EventId::from_static("1"));
    assert_eq!(decode_with(decoder, b"data: b\n\n"), ["message/1/b"]);
}

/// > Lines must be processed, in the order they are received, as follows:
#[test]
fn lines_are_processed_in_order() {
    assert_eq!(
        decode(b"retry: 1\ndata: a\nretry: 2\nid: 1\ndata: b\nid: 2\n\nretry: 3\n"),
        ["retry 1", "retry 2", "message/2/a\nb", "retry 3"]
    );
}

/// > If the line starts with a U+003A COLON character (:)
/// >
/// > Ignore the line.
#[test]
fn a_line_that_starts_with_a_colon_is_ignored() {
    assert_eq!(
        decode(b":data: a\n: data: b\n:\n::\ndata: c\n:retry: 1\n\n"),
        ["message//c"]
    );
}

/// > If the line contains a U+003A COLON character (:)
/// >
/// > Collect the characters on the line before the first U+003A COLON character (:), and let field be that
/// > string.
/// >
/// > Collect the characters on the line after the first U+003A COLON character (:), and let value be that string.
/// > If value starts with a U+0020 SPACE character, remove it from value.
/// >
/// > Process the field using the steps described below, using field as the field name and value as the field
/// > value.
#[test]
fn the_first_colon_parts_name_and_value() {
    assert_eq!(
        decode(b"data:a: b:\ndata::c\ndata:  d \ndata:\te\ndata: \n\n"),
        ["message//a: b:\n:c\n d \n\te\n"]
    );
}

/// > Otherwise, the string is not empty but does not contain a U+003A COLON character (:)
/// >
/// > Process the field using the steps described below, using the whole line as the field name, and the empty
/// > string as the field value.
#[test]
fn a_line_without_colon_is_a_name() {
    assert_eq!(
        decode(b"id: 1\nevent: e\ndata\nid\nevent\nretry\ndata \n\n"),
        ["message//"]
    );
}

/// > If the line is empty (a blank line)
/// >
/// > Dispatch the event, as defined below.
/// >
/// > When the user agent is required to dispatch the event, the user agent must process the data buffer, the event
/// > type buffer, and the last event ID buffer using steps appropriate for the user agent.
#[test]
fn a_blank_line_dispatches() {
    assert_eq!(
        decode(b"data: a\n\ndata: b\n\n"),
        ["message//a", "message//b"]
    );
}

/// > Once the end of the file is reached, any pending data must be discarded. (If the file ends in the middle of an
/// > event, before the final empty line, the incomplete event is not dispatched.)
#[test]
fn an_unfinished_block_is_discarded() {
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n");
    assert!(items.next().unwrap().is_some());
    assert!(items.next().unwrap().is_none());
    assert_eq!(decoder.last_event_id(), "1");
    decoder.reconnect();
    let mut items = decoder.feed(b"\ndata: c\n\n");
    let event = items.next().unwrap().and_then(Item::into_event).unwrap();
    assert_eq!((&*event.data(), event.last_event_id()), ("c", "1"));
}

/// > The steps to process the field given a field name and a field value depend on the field name, as given in the
/// > following list. Field names must be compared literally, with no case folding performed.
#[test]
fn names_are_compared_literally() {
    assert_eq!(
        decode(b"Data: a\nDATA: a\ndata : a\n data: a\ndat: a\ndatas: a\n\n"),
        [""; 0]
    );
}

/// > If the field name is "event"
/// >
/// > Set the event type buffer to the field value.
#[test]
fn event_sets_the_type() {
    assert_eq!(decode(b"event: a\ndata: x\n\n"), ["a//x"]);
    assert_eq!(decode(b"event: a\nevent: b\ndata: x\n\n"), ["b//x"]);
    assert_eq!(decode(b"event: a\nevent\ndata: x\n\n"), ["message//x"]);
}

/// > If the field name is "data"
/// >
/// > Append the field value to the data buffer, then append a single U+000A LINE FEED (LF) character to the data
/// > buffer.
#[test]
fn data_lines_are_joined() {
    assert_eq!(
        decode(b"data: a\ndata\ndata: b\ndata:\n\n"),
        ["message//a\n\nb\n"]
    );
}

/// > If the field name is "id"
/// >
/// > If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field value.
/// > Otherwise, ignore the field.
#[test]
fn id_sets_the_last_event_id_unless_it_has_a_null() {
    assert_eq!(decode(b"id: 0\ndata: x\n\n"), ["message/0/x"]);
    assert_eq!(
        decode(b"id: 1\nid: \0\nid: 2\0\ndata: x\n\n"),
        ["message/1/x"]
    );
}

/// > If the field name is "retry"
/// >
/// > If the field value consists of only ASCII digits, then interpret the field value
/// > as an integer in base ten, and set the event stream's reconnection time to that integer. Otherwise, ignore the
/// > field.
#[test]
fn retry_is_ascii_digits_only() {
    assert_eq!(decode(b"retry: 5\n"), ["retry 5"]);
    assert_eq!(
        decode(b"retry: 3000000000\nretry: 007\nretry:1\n"),
        ["retry 3000000000", "retry 7", "retry 1"]
    );
    assert_eq!(
        decode(b"retry: +5\nretry: -5\nretry: 5 \nretry:  5\nretry: 5s\nretry\nretry:\nretry: \n"),
        [""; 0]
    );
    assert_eq!(
        decode("retry: \u{665}\nretry: 5.0\nretry: 0x5\n".as_bytes()),
        [""; 0]
    );
    let most = Duration::from_millis(u64::MAX);
    let mut decoder = Decoder::new();
    let mut items = decoder.feed(b"retry: 99999999999999999999\n");
    assert!(matches!(items.next(), Ok(Some(Item::ReconnectionTime(time))) if time == most));
}

/// > Otherwise
/// >
/// > The field is ignored.
#[test]
fn other_fields_are_ignored() {
    assert_eq!(
        decode(b"foo: bar\n\ncomment: x\nmessage: y\ndata: z\n\n"),
        ["message//z"]
    );
}

/// > Set the last event ID string of the event source to the value of the last event ID buffer. The buffer does not
/// > get reset, so the last event ID string of the event source remains set to this value until the next time it is
/// > set by the server.
/// >
/// > If an event doesn't have an "id" field, but an earlier event did set the event source's last event ID string,
/// > then the event's lastEventId field will be set to the value of whatever the last seen "id" field was.
#[test]
fn the_last_event_id_remains() {
    assert_eq!(
        decode(b"id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\nid\ndata: d\n\n"),
        ["message/1/a", "message/1/b", "message/2/c", "message//d"]
    );
}

/// > If the data buffer is an empty string, set the data buffer and the event type buffer to the empty string and
/// > return.
#[test]
fn a_block_without_data_dispatches_nothing_and_clears_the_type() {
    assert_eq!(decode(b"event: a\n\ndata: x\n\n"), ["message//x"]);
    assert_eq!(decode(b"id: 7\n: c\n\n: c\n\n"), [""; 0]);
    let mut decoder = Decoder::new().with_last_event_ids(true);
    let mut items = decoder.feed(b"id: 7\n\n\n");
    assert!(matches!(items.next(), Ok(Some(Item::LastEventId(id))) if id == "7"));
    assert!(matches!(items.next(), Ok(None)));
}

/// > If the data buffer's last character is a U+000A LINE FEED (LF) character, then remove the last character from
/// > the data buffer.
#[test]
fn one_line_feed_goes() {
    assert_eq!(decode(b"data\n\n"), ["message//"]);
    assert_eq!(decode(b"data\ndata\n\n"), ["message//\n"]);
}

/// > Initialize event's type attribute to "message", its data attribute to data, [...] and its lastEventId
/// > attribute to the last event ID string of the event source.
/// >
/// > If the event type buffer has a value other than the empty string, change the type of the newly created event
/// > to equal the value of the event type buffer.
#[test]
fn an_event_has_type_data_and_last_event_id() {
    assert_eq!(
        decode(b"id: 1\ndata: a\n\nevent: e\ndata: b\n\nevent: message\ndata: c\n\nevent:\ndata: d\n\n"),
        ["message/1/a", "e/1/b", "message/1/c", "message/1/d"]
    );
}

/// > Set the data buffer and the event type buffer to the empty string.
/// >
/// > For other user agents, the appropriate steps to dispatch the event are implementation dependent, but at a
/// > minimum they must set the data and event type buffers to the empty string before returning.
#[test]
fn data_and_type_end_with_their_block() {
    assert_eq!(
        decode(b"event: e\ndata: a\n\n\ndata: b\n\n"),
        ["e//a", "message//b"]
    );
}

/// > The following event stream, once followed by a blank line: [...] ...would cause an event message with the
/// > interface MessageEvent to be dispatched on the EventSource object. The event's data attribute would contain
/// > the string "YHOO\n+2\n10" (where "\n" represents a newline).
#[test]
fn example_of_the_stock() {
    assert_eq!(
        decode(b"data: YHOO\ndata: +2\ndata: 10\n\n"),
        ["message//YHOO\n+2\n10"]
    );
}

/// > The following stream contains four blocks. The first block has just a comment, and will fire nothing. The
/// > second block has two fields with names "data" and "id" respectively; an event will be fired for this block,
/// > with the data "first event", and will then set the last event ID to "1" so that if the connection died between
/// > this block and the next, the server would be sent a `Last-Event-ID` header with the value `1`. The third block
/// > fires an event with data "second event", and also has an "id" field, this time with no value, which resets the
/// > last event ID to the empty string (meaning no `Last-Event-ID` header will now be sent in the event of a
/// > reconnection being attempted). Finally, the last block just fires an event with the data " third event" (with
/// > a single leading space character). Note that the last still has to end with a blank line, the end of the
/// > stream is not enough to trigger the dispatch of the last event.
#[test]
fn example_of_the_four_blocks() {
    let stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert_eq!(
        decode(stream),
        [
            "message/1/first event",
            "message//second event",
            "message// third event"
        ]
    );
    assert_eq!(
        decode(&stream[..stream.len() - 1]),
        ["message/1/first event", "message//second event"]
    );
}

/// > The following stream fires two events: [...] The first block fires events with the data set to the empty
/// > string, as would the last block if it was followed by a blank line. The middle block fires an event with the
/// > data set to a single newline character. The last block is discarded because it is not followed by a blank
/// > line.
#[test]
fn example_of_the_empty_data() {
    assert_eq!(
        decode(b"data\n\ndata\ndata\n\ndata:"),
        ["message//", "message//\n"]
    );
}

/// > The following stream fires two identical events: [...] This is because the space after the colon is ignored if
/// > present.
#[test]
fn example_of_the_space() {
    assert_eq!(
        decode(b"data:test\n\ndata: test\n\n"),
        ["message//test", "message//test"]
    );
}
