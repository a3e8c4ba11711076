//! What the crate does without std, each step numbered.

use alloc::rc::Rc;
use core::cell::Cell;
use core::ffi::c_int;
use core::fmt::Write;
use core::task::Poll;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use sse_proto::client::{Options, Output, Response};
use sse_proto::event::LastEventId;
use sse_proto::event::lines;
use sse_proto::http::last_event_id;
use sse_proto::target::{
    CloseReason, DispatchError, Dispatched, Limits, LocalEventStream, On, Overflow,
    local_channel_with,
};
use sse_proto::{
    Decoder, Event, EventId, EventSource, EventType, EventWriter, Item, local_channel,
};

const TICK: EventType<'static> = EventType::from_static("tick");
const WIRE: &str = ": one\n: two\nevent: tick\nid: 7\nretry: 1500\ndata: a\ndata: b\n\n";

pub(crate) fn run() -> Result<(), c_int> {
    check(1, encodes())?;
    check(2, writes_in_pieces())?;
    check(3, asks_listeners())?;
    check(4, refuses_what_has_no_room())?;
    check(5, ends_and_tells())?;
    check(6, reads_a_last_event_id())?;
    check(7, decodes())?;
    check(8, drops_the_oldest())?;
    check(9, reconnects())
}

fn check(step: c_int, right: bool) -> Result<(), c_int> {
    if right { Ok(()) } else { Err(step) }
}

fn tick() -> Event<'static> {
    Event::new(TICK, "a\r\nb")
        .with_id(7_u32)
        .with_reconnection_time(Duration::from_millis(1500))
        .with_comment("one\rtwo")
}

fn encodes() -> bool {
    let mut buffer = BytesMut::new();
    tick().encode(&mut buffer);

    let mut slice = [0; 128];
    let len = tick().encode_to_slice(&mut slice);
    let short = tick().encode_to_slice(&mut slice[..10]);

    buffer == WIRE
        && len.is_ok_and(|len| slice.get(..len) == Some(WIRE.as_bytes()))
        && short.is_err_and(|error| error.needed() == tick().encoded_len())
        && lines("a\r\nb").eq(["a", "b"])
}

fn writes_in_pieces() -> bool {
    let mut writer = EventWriter::new(BytesMut::new(), &Event::block().with_id(7_u32));
    let written = write!(writer, "{}\r", 1).and_then(|()| writer.write_str("\ntwo"));
    let frame = writer.into_frame();

    let mut buffer = BytesMut::new();
    let mut dropped = EventWriter::new(&mut buffer, &Event::block());
    let begun = dropped.write_str("never finished");
    drop(dropped);

    let taken = frame.is_ok_and(|frame| {
        let (target, mut stream) = local_channel();
        target.dispatch_frame(&frame).is_ok()
            && frame.id() == Some("7")
            && next(&mut stream).is_some_and(|chunk| chunk == "id: 7\ndata: 1\ndata: two\n\n")
    });
    written.is_ok() && begun.is_ok() && buffer.is_empty() && taken
}

/// The next chunk, if something is queued.
fn next(stream: &mut LocalEventStream) -> Option<Bytes> {
    match stream.try_next() {
        Poll::Ready(chunk) => chunk,
        Poll::Pending => None,
    }
}

fn asks_listeners() -> bool {
    let (target, mut stream) = local_channel();
    let heard = Rc::new(Cell::new(0));
    let all = Rc::clone(&heard);
    target.listen(On::every_event(), move |_| all.set(all.get() + 1));
    target.listen(On::event_type(&TICK).once(), |dispatch| {
        dispatch.prevent_default();
    });

    target.dispatch(&tick()) == Ok(Dispatched::Canceled)
        && stream.try_next() == Poll::Pending
        && target.dispatch(&tick()) == Ok(Dispatched::Sent)
        && next(&mut stream).is_some_and(|chunk| chunk == WIRE)
        && heard.get() == 2
}

fn refuses_what_has_no_room() -> bool {
    let (target, mut stream) = local_channel_with(Limits::new().with_max_frames(2));
    target.dispatch_message("one") == Ok(Dispatched::Sent)
        && target.dispatch_comment("two") == Ok(())
        && target.dispatch_message("three") == Err(DispatchError::Full)
        && next(&mut stream).is_some_and(|chunk| chunk == "data: one\n\n: two\n")
}

fn drops_the_oldest() -> bool {
    let limits = Limits::new()
        .with_max_frames(2)
        .with_overflow(Overflow::DropOldest);
    let (target, mut stream) = local_channel_with(limits);
    ["one", "two", "three"].map(|data| target.dispatch_message(data)) == [Ok(Dispatched::Sent); 3]
        && target.dropped_frames() == 1
        && next(&mut stream).is_some_and(|chunk| chunk == "data: two\n\ndata: three\n\n")
}

fn ends_and_tells() -> bool {
    let (target, mut stream) = local_channel();
    let told = Rc::new(Cell::new(None));
    let at_close = Rc::clone(&told);
    target.on_close(move |reason| at_close.set(Some(reason)));
    let queued = target.dispatch_message("last");
    target.close();

    queued.is_ok()
        && told.get() == Some(CloseReason::Closed)
        && !target.is_drained()
        && next(&mut stream).is_some_and(|chunk| chunk == "data: last\n\n")
        && target.is_drained()
        && stream.try_next() == Poll::Ready(None)
}

fn reads_a_last_event_id() -> bool {
    last_event_id(["7"], None, "") == EventId::from(7_u8).into()
        && last_event_id([""], Some("id=%37"), "id") == EventId::from(7_u8).into()
        && last_event_id(["\0"], None, "") == LastEventId::Invalid
}

fn decodes() -> bool {
    let mut decoder = Decoder::new();
    let mut events = 0;
    // Cut at every place: within names, values and ends of lines.
    for piece in WIRE.as_bytes().chunks(3) {
        let mut items = decoder.feed(piece);
        while let Ok(Some(item)) = items.next() {
            match item {
                Item::ReconnectionTime(time) => {
                    if time != Duration::from_millis(1500) {
                        return false;
                    }
                }
                Item::Event(event) => {
                    events += 1;
                    let right = event.event_type() == "tick"
                        && event.data() == "a\nb"
                        && event.last_event_id() == "7";
                    if !right {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
    events == 1
}

fn reconnects() -> bool {
    let mut source = EventSource::with_seed("http://localhost/", Options::resilient(), 7);
    source.start(Duration::ZERO);
    let asked = matches!(source.poll_output(), Some(Output::Request(_)));
    source.handle_response(
        Duration::ZERO,
        Response::from_headers(200, [("content-type", b"text/event-stream")]),
    );
    let opened = matches!(source.poll_output(), Some(Output::Opened));
    let mut events = 0;
    let mut received = source.handle_bytes(Duration::ZERO, WIRE.as_bytes());
    while let Ok(Some(item)) = received.next() {
        events += i32::from(matches!(item, Item::Event(_)));
    }
    source.handle_end(Duration::ZERO);
    let down = matches!(source.poll_output(), Some(Output::Lost(_)));
    source.handle_deadline(source.next_deadline().unwrap_or_default());
    let resumes = matches!(
        source.poll_output(),
        Some(Output::Request(request)) if request.last_event_id() == Some("7")
    );
    source.close();
    asked && opened && events == 1 && down && resumes && !source.is_open()
}
