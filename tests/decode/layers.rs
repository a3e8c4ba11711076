//! The layers over the decoder: `DecodeStream` and `DecodeRead`.

use std::cell::Cell;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use sse_proto::Decoder;
use sse_proto::decode::{
    DecodeError, DecodeLimits, DecodeRead, DecodeStream, OwnedItem, OwnedMessageEvent, ReceiveError,
};

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
        Poll::Ready(Some(Ok(item))) => item.into_event().unwrap().into_data(),
        other => panic!("{other:?}"),
    };
    assert_eq!(data(poll()), "a");
    assert_eq!(polls.get(), 1, "an event that is there asks for no more");
    assert!(poll().is_pending());
    assert_eq!(data(poll()), "b");
    assert!(matches!(
        poll(),
        Poll::Ready(Some(Err(ReceiveError::Transport("reset"))))
    ));
    assert!(matches!(poll(), Poll::Ready(None)));
    let before = polls.get();
    assert!(matches!(poll(), Poll::Ready(None)));
    assert_eq!(polls.get(), before, "an ended stream is not asked again");
    assert_eq!(stream.into_decoder().last_event_id(), "");
}

/// The plain loop of a user: the data of the events, and the error at the end.
fn read_all<E>(
    items: impl Iterator<Item = Result<OwnedItem, ReceiveError<E>>>,
) -> (Vec<String>, Option<ReceiveError<E>>) {
    let mut seen = Vec::new();
    let mut items = items.fuse();
    while let Some(item) = items.next() {
        match item {
            Ok(OwnedItem::Event(event)) => seen.push(event.into_data()),
            Ok(_) => {}
            Err(error) => {
                assert!(items.next().is_none(), "nothing follows the error");
                return (seen, Some(error));
            }
        }
    }
    (seen, None)
}

#[test]
fn a_body_that_ends_within_a_block_ends_with_that_block() {
    let streams = [
        ("data: a\n\n", None),
        ("data: a\n\n: bye\nretry: 5\n", None),
        ("data: a\n\nevent: end\nda", Some(("end", ""))),
        (
            "data: a\n\nid: 7\ndata: b\ndata: c",
            Some(("message", "b\nc")),
        ),
    ];
    for (bytes, unfinished) in streams {
        let polls = Cell::new(0);
        let body = vec![Poll::Ready(Ok(&bytes[..4])), Poll::Ready(Ok(&bytes[4..]))];
        let mut stream = DecodeStream::new(Body(body.into_iter(), &polls), Decoder::new());
        let mut context = Context::from_waker(Waker::noop());
        let items = std::iter::from_fn(|| match Pin::new(&mut stream).poll_next(&mut context) {
            Poll::Ready(item) => item,
            Poll::Pending => panic!("the body is always ready"),
        });
        let (seen, error) = read_all(items);
        let mut reader = DecodeRead::new(bytes.as_bytes(), Decoder::new());
        let (read, read_error) = read_all(&mut reader);
        assert_eq!((seen, read), (vec!["a".to_owned()], vec!["a".to_owned()]));
        let block = |event: OwnedMessageEvent| {
            assert_eq!((event.last_event_id(), event.has_own_id()), ("", false));
            (event.event_type().to_owned(), event.into_data())
        };
        let expected = unfinished.map(|(name, data): (&str, &str)| (name.into(), data.into()));
        let told = error.map(|error| match error {
            ReceiveError::Unfinished(event) => block(event),
            other => panic!("{other:?}"),
        });
        assert_eq!(told, expected, "{bytes:?}");
        let told = read_error.map(|error| match error {
            ReceiveError::Unfinished(event) => block(event),
            other => panic!("{other:?}"),
        });
        assert_eq!(told, expected, "{bytes:?}");
        // It is told once.
        assert!(stream.into_decoder().finish().is_none());
        assert!(reader.into_decoder().finish().is_none());
    }
}

#[test]
fn after_a_transport_error_the_decoder_has_the_unfinished_block() {
    let polls = Cell::new(0);
    let body = vec![Poll::Ready(Ok("data: a\nda")), Poll::Ready(Err("reset"))];
    let mut stream = DecodeStream::new(Body(body.into_iter(), &polls), Decoder::new());
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(
        Pin::new(&mut stream).poll_next(&mut context),
        Poll::Ready(Some(Err(ReceiveError::Transport("reset"))))
    ));
    let unfinished = stream.into_decoder().finish().expect("it was cut");
    assert_eq!(unfinished.data(), "a");
}

#[test]
fn the_stream_ends_at_a_limit_if_told_so() {
    let polls = Cell::new(0);
    let body = vec![
        Poll::Ready(Ok("data: long\n\n")),
        Poll::Ready(Ok("data\n\n")),
    ];
    let limits = DecodeLimits::new()
        .with_max_event_bytes(5)
        .with_end_at_limit(true);
    let decoder = Decoder::new().with_limits(limits);
    let mut stream = DecodeStream::new(Body(body.into_iter(), &polls), decoder);
    let mut context = Context::from_waker(Waker::noop());
    let mut poll = || Pin::new(&mut stream).poll_next(&mut context);
    assert!(matches!(
        poll(),
        Poll::Ready(Some(Err(ReceiveError::Decode(DecodeError::EventTooLong {
            limit: 5
        }))))
    ));
    assert!(matches!(poll(), Poll::Ready(None)));
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
    let mut events = sse_proto::decode::DecodeRead::new(reader, Decoder::new());
    assert!(events.next().unwrap().is_err());
    assert_eq!(
        events.next().unwrap().unwrap().into_event().unwrap().data(),
        "x"
    );
    assert!(events.next().is_none() && events.next().is_none());
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
    let limits = DecodeLimits::new()
        .with_max_line_bytes(10)
        .with_end_at_limit(true);
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

    for (limits, items) in [(limits, 1), (DecodeLimits::new(), 2)] {
        let polls = Cell::new(0);
        let decoder = Decoder::new().with_limits(limits);
        let mut events = DecodeStream::new(Polled(Some(stream), &polls), decoder);
        let mut context = Context::from_waker(Waker::noop());
        let mut seen = 0;
        while let Poll::Ready(Some(_)) = Pin::new(&mut events).poll_next(&mut context) {
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
        assert_eq!(polls.get(), polled, "what has ended is not polled again");
    }
}
