//! What the decoder promises beyond the standard: limits, borrowing, memory, the layers.

use std::cell::Cell;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::{FusedStream, Stream};
use sse_proto::{
    AfterLimit, Chunk, DecodeError, DecodeLimits, DecodeRead, DecodeStream, Decoder, Item,
    OwnedItem, ReceiveError,
};

fn next_data(decoder: &mut Decoder, input: &mut &[u8]) -> Option<String> {
    decoder
        .decode(input)
        .unwrap()
        .and_then(Item::event)
        .map(|event| event.data().into_owned())
}

#[test]
fn an_event_that_lies_whole_in_the_input_is_borrowed_from_it() {
    let stream = b"event: e\nid: 1\ndata: hello\n\n";
    let mut decoder = Decoder::new();
    let mut input = &stream[..];
    let event = decoder
        .decode(&mut input)
        .unwrap()
        .and_then(Item::event)
        .unwrap();
    let range = stream.as_ptr_range();
    assert!(range.contains(&event.data_bytes().as_ptr()));
    assert!(range.contains(&event.event_type_bytes().as_ptr()));
    let mut chunk = Chunk::new(stream);
    let event = decoder
        .decode_chunk(&mut chunk)
        .unwrap()
        .and_then(Item::event)
        .unwrap();
    assert!(range.contains(&event.data().as_ptr()));
}

#[test]
fn the_line_limit_bites_in_the_middle_of_a_line() {
    let mut decoder = Decoder::new().with_limits(DecodeLimits::default().with_line(10));
    assert_eq!(decoder.decode(&mut &b"data: 1234"[..]), Ok(None));
    assert_eq!(
        decoder.decode(&mut &b"5"[..]),
        Err(DecodeError::LineTooLong { limit: 10 })
    );
    let mut rest = &b"6\ndata: x\nid: 1\n\ndata: y\n\n"[..];
    assert_eq!(next_data(&mut decoder, &mut rest).as_deref(), Some("y"));
    assert_eq!(decoder.last_event_id(), "");
}

#[test]
fn the_event_limit_counts_all_lines_of_the_block() {
    let mut decoder = Decoder::new().with_limits(DecodeLimits::default().with_event(12));
    let mut input = &b"data: x\ndata:\n\ndata: x\ndata:1\ndata: lost\n\ndata: y\n\n"[..];
    assert_eq!(next_data(&mut decoder, &mut input).as_deref(), Some("x\n"));
    assert_eq!(
        decoder.decode(&mut input),
        Err(DecodeError::EventTooLong { limit: 12 })
    );
    assert_eq!(next_data(&mut decoder, &mut input).as_deref(), Some("y"));
}

#[test]
fn comments_and_unknown_fields_never_count() {
    let mut decoder =
        Decoder::new().with_limits(DecodeLimits::default().with_line(10).with_event(10));
    let mut stream = b":".repeat(1000);
    stream.extend(b"\nunknown: ".repeat(100));
    stream.extend(b"\ndata: x\n\n");
    assert_eq!(
        next_data(&mut decoder, &mut &stream[..]).as_deref(),
        Some("x")
    );
    assert_eq!(decoder.memory_held(), 0);
}

#[test]
fn past_a_limit_the_stream_may_end() {
    let limits = DecodeLimits::default()
        .with_line(6)
        .with_after(AfterLimit::End);
    let mut decoder = Decoder::new().with_limits(limits);
    let mut input = &b"data: x\n\ndata:y\n\n"[..];
    assert_eq!(
        decoder.decode(&mut input),
        Err(DecodeError::LineTooLong { limit: 6 })
    );
    assert!(decoder.is_ended());
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.is_empty());
}

#[test]
fn sixteen_mebibytes_pass_by_default() {
    let mut stream = b"data: ".to_vec();
    stream.resize(DecodeLimits::DEFAULT_BYTES, b'x');
    stream.extend(b"\n\n");
    let mut decoder = Decoder::new();
    assert!(
        stream
            .chunks(1460)
            .any(|piece| decoder.decode(&mut &piece[..]).unwrap().is_some())
    );
    let held = decoder.memory_held();
    let most = DecodeLimits::DEFAULT_BYTES;
    assert!((most - 6..=most + most / 8).contains(&held), "{held}");
    assert_eq!(decoder.decode(&mut &b": keep-alive\n\n"[..]), Ok(None));
    assert!(
        decoder.memory_held() <= 128 << 10,
        "{}",
        decoder.memory_held()
    );
}

#[test]
fn debug_dumps_no_payload() {
    let mut decoder = Decoder::new();
    let mut input = &b"data: secret\n\n"[..];
    let item = decoder.decode(&mut input).unwrap().unwrap();
    assert!(!format!("{item:?}").contains("secret"));
    assert!(!format!("{:?}", item.to_owned()).contains("secret"));
}

/// Chunks, errors and pauses as a stream.
struct Body<'a>(
    std::vec::IntoIter<Poll<Result<&'static str, &'static str>>>,
    &'a Cell<u32>,
);

impl Stream for Body<'_> {
    type Item = Result<&'static str, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1.set(self.1.get() + 1);
        match self.0.next() {
            None => Poll::Ready(None),
            Some(Poll::Ready(result)) => Poll::Ready(Some(result)),
            Some(Poll::Pending) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

#[test]
fn the_stream_delivers_what_was_complete_before_an_error_and_is_fused() {
    let polls = Cell::new(0);
    let body = vec![
        Poll::Ready(Ok("data: a\n\nda")),
        Poll::Pending,
        Poll::Ready(Ok("")),
        Poll::Ready(Ok("ta: b\r")),
        Poll::Ready(Ok("\rdata: cut")),
        Poll::Ready(Err("reset")),
        Poll::Ready(Ok("\n\ndata: after the error\n\n")),
    ];
    let mut stream = DecodeStream::new(Body(body.into_iter(), &polls), Decoder::new());
    let mut context = Context::from_waker(Waker::noop());
    let mut poll = || Pin::new(&mut stream).poll_next(&mut context);
    let data = |poll: Poll<Option<Result<OwnedItem, _>>>| match poll {
        Poll::Ready(Some(Ok(item))) => item.event().unwrap().into_data(),
        other => panic!("{other:?}"),
    };
    assert_eq!(data(poll()), "a");
    assert_eq!(polls.get(), 1, "an event that is there asks for no more");
    assert!(poll().is_pending());
    assert_eq!(data(poll()), "b");
    assert_eq!(
        poll(),
        Poll::Ready(Some(Err(ReceiveError::Transport("reset"))))
    );
    assert_eq!(poll(), Poll::Ready(None));
    let before = polls.get();
    assert_eq!(poll(), Poll::Ready(None));
    assert_eq!(polls.get(), before, "an ended stream is not asked again");
    assert!(stream.is_terminated());
    assert_eq!(stream.into_decoder().last_event_id(), "");
}

#[test]
fn the_stream_ends_at_a_limit_if_told_so() {
    let polls = Cell::new(0);
    let body = vec![
        Poll::Ready(Ok("data: long\n\n")),
        Poll::Ready(Ok("data\n\n")),
    ];
    let limits = DecodeLimits::default()
        .with_event(5)
        .with_after(AfterLimit::End);
    let decoder = Decoder::new().with_limits(limits);
    let mut stream = DecodeStream::new(Body(body.into_iter(), &polls), decoder);
    let mut context = Context::from_waker(Waker::noop());
    let error = ReceiveError::Decode(DecodeError::EventTooLong { limit: 5 });
    assert_eq!(
        Pin::new(&mut stream).poll_next(&mut context),
        Poll::Ready(Some(Err(error)))
    );
    assert_eq!(
        Pin::new(&mut stream).poll_next(&mut context),
        Poll::Ready(None)
    );
    assert_eq!(polls.get(), 1);
}

/// Brings what it is told to.
struct Steps(std::vec::IntoIter<io::Result<&'static [u8]>>);

impl Read for Steps {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(step) = self.0.next() else {
            return Ok(0);
        };
        let bytes = step?;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[test]
fn the_iterator_delivers_what_was_complete_before_an_error_and_is_fused() {
    let steps = vec![
        Ok(&b"data: a\n"[..]),
        Err(io::ErrorKind::Interrupted.into()),
        Ok(b"\n"),
        Err(io::ErrorKind::ConnectionReset.into()),
        Ok(b"data: b\n\n"),
    ];
    let mut items = DecodeRead::new(Steps(steps.into_iter()), Decoder::new());
    let Some(Ok(OwnedItem::Event(event))) = items.next() else {
        panic!("no event")
    };
    assert_eq!(event.data(), "a");
    let Some(Err(ReceiveError::Transport(error))) = items.next() else {
        panic!("no error")
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(items.next().is_none());
    assert!(items.next().is_none());
}

#[test]
fn an_explicit_message_type_is_no_type() {
    let both = b"event: message\ndata: x\n\ndata: x\n\n";
    let mut decoder = Decoder::new();
    let mut input = &both[..];
    let events: Vec<_> = std::iter::from_fn(|| decoder.decode_owned(&mut input).unwrap()).collect();
    assert_eq!(events[0], events[1]);
    let (mut first, mut second) = (&both[..], &both[24..]);
    let (mut one, mut other) = (Decoder::new(), Decoder::new());
    assert_eq!(
        one.decode(&mut first).unwrap(),
        other.decode(&mut second).unwrap()
    );
}

/// A decoder whose connection broke behind these bytes.
fn decoder_after(bytes: &[u8]) -> Decoder {
    let mut decoder = Decoder::new();
    let mut input = bytes;
    while decoder.decode(&mut input).unwrap().is_some() {}
    decoder.reconnect();
    decoder
}

#[test]
fn a_second_connection_starts_anew() {
    let read = |decoder: &mut Decoder, bytes: &[u8]| {
        let mut input = bytes;
        let mut events = Vec::new();
        while let Some(item) = decoder.decode_owned(&mut input).unwrap() {
            events.extend(item.event());
        }
        events
    };
    // Cut anywhere: within the mark, a line, a CRLF, a block.
    let first = b"\xEF\xBB\xBFid: 1\r\ndata: a\r\n\r\nevent: cut\r\ndata: off\r\nid: 2\r\n";
    for cut in 0..=first.len() {
        let seen = read(&mut Decoder::new(), &first[..cut]).len();
        // A mark may stand at the start again, and an LF there is a line of its own.
        for second in [
            &b"\xEF\xBB\xBFdata: b\n\n"[..],
            b"\ndata: b\n\n",
            b"data: b\n\n",
        ] {
            let mut decoder = decoder_after(&first[..cut]);
            let events = read(&mut decoder, second);
            assert_eq!(events.len(), 1, "cut at {cut}");
            let id = if seen == 1 { "1" } else { "" };
            let event = &events[0];
            assert_eq!(
                (event.event_type(), event.data(), event.last_event_id()),
                ("message", "b", id)
            );
        }
    }
}

#[test]
fn a_block_of_the_connection_before_does_not_count_against_the_next() {
    let limits = DecodeLimits::default().with_event(20);
    let mut decoder = Decoder::new().with_limits(limits);
    assert!(
        decoder
            .decode(&mut &b"data: 0123456789\n"[..])
            .unwrap()
            .is_none()
    );
    decoder.reconnect();
    assert!(
        decoder
            .decode(&mut &b"data: 0123456789\n\n"[..])
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_type_that_is_cut_within_a_character_ends_in_a_replacement() {
    // The long comment makes the chunk worth a check of its own.
    let head = [&b":"[..], &[b'x'; 65], b"\nevent: a\xE2\x82"].concat();
    let mut decoder = Decoder::new();
    let mut chunk = Chunk::new(&head);
    assert!(decoder.decode_chunk(&mut chunk).unwrap().is_none());
    let mut chunk = Chunk::new(b"\ndata: x\n\n");
    let event = decoder
        .decode_chunk(&mut chunk)
        .unwrap()
        .and_then(Item::event)
        .unwrap();
    assert_eq!(event.event_type(), "a\u{FFFD}");
}

#[test]
fn a_reader_that_times_out_is_read_again() {
    struct Slow(Vec<std::io::Result<&'static [u8]>>);
    impl std::io::Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let bytes = self.0.pop().unwrap_or(Ok(b""))?;
            buffer[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }
    }
    let timeout = || Err(std::io::ErrorKind::TimedOut.into());
    let reader = Slow(vec![Ok(b"\n"), timeout(), Ok(b"data: x\n")]);
    let mut events = sse_proto::DecodeRead::new(reader, Decoder::new());
    assert!(events.next().unwrap().is_err());
    assert_eq!(events.next().unwrap().unwrap().event().unwrap().data(), "x");
    assert!(events.next().is_none() && events.next().is_none());
}

#[test]
fn data_taken_out_carries_no_more_than_itself() {
    let stream = [b"id: ", &vec![b'7'; 100_000][..], b"\ndata: hi\n\n"].concat();
    let mut decoder = Decoder::new().with_limits(DecodeLimits::unlimited());
    let event = decoder
        .decode_owned(&mut &stream[..])
        .unwrap()
        .unwrap()
        .event()
        .unwrap();
    assert!(event.into_data().capacity() <= 64);
}

#[test]
fn a_reader_that_lies_about_its_length_is_no_reason_to_panic() {
    struct Liar(u32);
    impl Read for Liar {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'\n');
            self.0 += 1;
            Ok(if self.0 < 4 { usize::MAX } else { 0 })
        }
    }
    assert!(DecodeRead::new(Liar(0), Decoder::new()).next().is_none());
}

/// Counts how often it is polled.
struct Polled<'a>(Option<&'static [u8]>, &'a Cell<usize>);
impl Stream for Polled<'_> {
    type Item = io::Result<&'static [u8]>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1.set(self.1.get() + 1);
        Poll::Ready(self.0.take().map(Ok))
    }
}

#[test]
fn both_layers_end_where_the_decoder_does_and_stay_ended() {
    let limits = DecodeLimits::default()
        .with_line(10)
        .with_after(AfterLimit::End);
    let stream = &b"data: this is too long\n\ndata: x\n\n"[..];
    let mut reader = DecodeRead::new(stream, Decoder::new().with_limits(limits));
    let error = |result| {
        matches!(
            result,
            Some(Err(ReceiveError::Decode(DecodeError::LineTooLong {
                limit: 10
            })))
        )
    };
    assert!(error(reader.next()));
    assert!(reader.next().is_none() && reader.next().is_none());

    for (limits, items) in [(limits, 1), (DecodeLimits::default(), 2)] {
        let polls = Cell::new(0);
        let decoder = Decoder::new().with_limits(limits);
        let mut events = DecodeStream::new(Polled(Some(stream), &polls), decoder);
        let mut context = Context::from_waker(Waker::noop());
        let mut seen = 0;
        while let Poll::Ready(Some(_)) = Pin::new(&mut events).poll_next(&mut context) {
            assert!(!events.is_terminated());
            seen += 1;
        }
        assert_eq!(seen, items);
        let polled = polls.get();
        for _ in 0..3 {
            assert!(matches!(
                Pin::new(&mut events).poll_next(&mut context),
                Poll::Ready(None)
            ));
        }
        assert!(events.is_terminated());
        assert_eq!(polls.get(), polled, "what has ended is not polled again");
    }
}

#[test]
fn a_comment_does_not_count_against_its_event_however_it_is_cut() {
    let limits = DecodeLimits::default().with_event(10);
    let stream = b": a comment that is longer than the event may be\ndata: x\n\n";
    for cut in 0..=stream.len() {
        let mut decoder = Decoder::new().with_limits(limits).with_comments(true);
        let mut said = Vec::new();
        for mut piece in [&stream[..cut], &stream[cut..]] {
            while let Some(item) = decoder.decode_owned(&mut piece).unwrap() {
                said.push(item);
            }
        }
        assert!(matches!(
            said[..],
            [OwnedItem::Comment(_), OwnedItem::Event(_)]
        ));
    }
}

#[test]
fn a_large_id_is_refused_and_the_earlier_one_stands() {
    let stream = [
        &b"id: 7\n\nid: "[..],
        &[b'8'; 10_000],
        b"\ndata: x\n\ndata: y\n\n",
    ]
    .concat();
    let mut decoder = Decoder::new();
    let mut input = &stream[..];
    let limit = DecodeLimits::DEFAULT_ID_BYTES;
    assert_eq!(
        decoder.decode(&mut input).unwrap_err(),
        DecodeError::IdTooLong { limit }
    );
    let event = decoder
        .decode_owned(&mut input)
        .unwrap()
        .unwrap()
        .event()
        .unwrap();
    assert_eq!((event.data(), event.last_event_id()), ("y", "7"));
}

#[test]
fn the_seed_is_an_id_that_a_stream_could_have_set() {
    for bad in ["1\r\nX: y", "a\0b", "a\nb"] {
        let decoder = Decoder::new()
            .with_last_event_id("7")
            .with_last_event_id(bad);
        assert_eq!(
            decoder.last_event_id(),
            "7",
            "as a stream's id with NUL: ignored"
        );
    }
    assert_eq!(
        Decoder::new()
            .with_last_event_id("7")
            .with_last_event_id("")
            .last_event_id(),
        ""
    );
}

#[test]
fn what_the_stream_before_ended_with_is_no_part_of_the_next() {
    let mut decoder = Decoder::new();
    assert_eq!(
        next_data(&mut decoder, &mut &b"data: a\r\n\r"[..]).as_deref(),
        Some("a")
    );
    decoder.reconnect();
    // This line feed ends a line of its own, and so what follows is no byte order mark.
    let next = next_data(&mut decoder, &mut "\n\u{FEFF}data: x\n\n".as_bytes());
    assert_eq!(next, None);
}
