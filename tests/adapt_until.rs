//! `until`: a future ends the stream, after what is queued, with a last frame.

#![cfg(feature = "std")]

mod support;

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use sse_proto::adapt::{FromStream, Until, from_stream};
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::futures_core::Stream;
use sse_proto::{Event, EventStreamExt, Frame};
use support::fakes::{Given, Reader, Signal, Source, SourceStream};

const BYE: &str = "data: bye\n\n";

struct Scene {
    source: Rc<Source>,
    signal: Rc<Signal>,
    reader: Reader<Until<FromStream<SourceStream>, Given>>,
}

fn scene() -> Scene {
    let (source, signal) = (Source::new(), Signal::new());
    let stream = from_stream(source.stream()).until(signal.given());
    Scene {
        source,
        signal,
        reader: Reader::new(stream.with_farewell(bye())),
    }
}

fn bye() -> Frame {
    Frame::new(&Event::message("bye"))
}

#[test]
fn the_future_ends_the_stream_and_wakes_who_reads() {
    let Scene {
        source,
        signal,
        mut reader,
    } = scene();
    assert!(reader.is_pending());
    signal.give();
    assert_eq!(reader.wakes.take(), 1);
    assert_eq!(reader.chunk(), BYE);
    assert!(source.is_dropped(), "at once");
    assert!(reader.has_ended());
}

#[test]
fn what_is_ready_is_delivered_up_to_the_first_pending() {
    let Scene {
        source,
        signal,
        mut reader,
    } = scene();
    source.feed("data: 1\n\n");
    source.feed("data: 2\n\n");
    signal.give();
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert_eq!(reader.chunk(), "data: 2\n\n");
    assert_eq!(reader.chunk(), BYE);
    assert!(reader.has_ended());
}

#[test]
fn a_stream_that_is_always_ready_ends_after_1_mib() {
    struct Endless;
    impl Stream for Endless {
        type Item = Bytes;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Bytes>> {
            Poll::Ready(Some(Bytes::from_static(&[b'\n'; 1000])))
        }
    }
    let stream = from_stream(Endless)
        .until(std::future::ready(()))
        .with_farewell(bye());
    let mut reader = Reader::new(stream);
    let mut bytes = 0;
    loop {
        let chunk = reader.chunk();
        if chunk == BYE {
            break;
        }
        bytes += chunk.len();
    }
    // The last chunk may pass the limit, since it is not cut.
    assert!(
        (1024 * 1024..1024 * 1024 + 1000).contains(&bytes),
        "{bytes}"
    );
    assert!(reader.has_ended());
}

#[test]
fn empty_chunks_are_not_delivered_for_ever() {
    let stream = from_stream(futures::stream::repeat(Bytes::new()));
    let stream = stream.until(std::future::ready(()));
    let chunks = futures::executor::block_on_stream(stream).count();
    assert_eq!(chunks, 1024 * 1024);
}

#[test]
fn a_stream_that_ends_by_itself_says_no_farewell() {
    let Scene {
        source,
        signal,
        mut reader,
    } = scene();
    source.feed("data: 1\n\n");
    source.end();
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert!(reader.has_ended() && source.is_dropped());
    signal.give();
    assert!(reader.has_ended());
}

#[test]
fn a_stream_that_ends_after_the_future_resolved_says_it() {
    let Scene {
        source,
        signal,
        mut reader,
    } = scene();
    source.feed("data: 1\n\n");
    source.end();
    signal.give();
    assert_eq!(reader.chunk(), "data: 1\n\n");
    assert_eq!(reader.chunk(), BYE);
    assert!(reader.has_ended());
}

#[test]
fn a_block_that_is_cut_is_followed_by_nothing() {
    for (pieces, complete) in [(["data: 1", "\n"], false), (["data: 1\n", "\n"], true)] {
        let Scene {
            source,
            signal,
            mut reader,
        } = scene();
        // Before and after the future resolves.
        source.feed(pieces[0]);
        assert_eq!(reader.chunk(), pieces[0]);
        source.feed(pieces[1]);
        signal.give();
        assert_eq!(reader.chunk(), pieces[1]);
        if complete {
            assert_eq!(reader.chunk(), BYE);
        }
        assert!(reader.has_ended());
    }
}

#[test]
fn without_a_farewell_it_just_ends() {
    let signal = Signal::new();
    let mut reader = Reader::new(from_stream(Source::new().stream()).until(signal.given()));
    assert!(reader.is_pending());
    signal.give();
    assert!(reader.has_ended());
}

#[test]
fn a_farewell_comes_after_whole_comments_and_retry_fields_and_after_no_cr() {
    for (sent, is_due) in [
        (": c\n", true),
        ("retry: 1\r\n", true),
        ("data: 1\n\n: c\nretry: 1\n", true),
        (": c", false),
        ("retry: 1", false),
        ("data: 1\n: c\n", false),
        ("data: 1\r\r", false),
    ] {
        let (source, signal) = (Source::new(), Signal::new());
        let bye = Frame::new(&Event::message("bye"));
        let stream = from_stream(source.stream()).until(signal.given());
        let mut reader = Reader::new(stream.with_farewell(bye));
        source.feed(sent);
        assert_eq!(reader.chunk(), sent);
        signal.give();
        if is_due {
            assert_eq!(reader.chunk(), BYE, "{sent:?}");
        }
        assert!(reader.has_ended(), "{sent:?}");
    }
}

mod of_an_event_stream {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use sse_proto::target::{CloseReason, DispatchError, Limits, channel_with};
    use sse_proto::{EventStream, Target, channel};

    use super::*;

    fn scene() -> (Target, Rc<Signal>, Reader<Until<EventStream, Given>>) {
        let (target, stream) = channel();
        let signal = Signal::new();
        let stream = stream.until(signal.given()).with_farewell(bye());
        (target, signal, Reader::new(stream))
    }

    #[test]
    fn it_closes_the_target_for_shutdown_delivers_the_queue_and_says_goodbye() {
        let (target, signal, mut reader) = scene();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let reasons = Arc::clone(&heard);
        target.on_close(move |reason| reasons.lock().unwrap().push(reason));
        assert!(reader.is_pending());
        assert_eq!(
            target.dispatch_message("1"),
            Ok(sse_proto::target::Dispatched::Sent)
        );
        signal.give();
        assert!(!target.is_closed(), "not before it is polled");
        assert_eq!(reader.chunk(), "data: 1\n\n");
        assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
        assert_eq!(
            target.dispatch_message("2"),
            Err(DispatchError::Closed(CloseReason::Shutdown))
        );
        assert_eq!(reader.chunk(), BYE);
        assert!(reader.has_ended());
        assert!(target.is_drained());
        drop(reader);
        assert_eq!(*heard.lock().unwrap(), [CloseReason::Shutdown], "once");
        assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
    }

    #[test]
    fn all_that_is_queued_is_delivered_however_much() {
        let (target, stream) = channel_with(Limits::new().with_max_bytes(8 << 20));
        let line = "x".repeat(1 << 20);
        for _ in 0..5 {
            assert!(target.dispatch_message(&line).is_ok());
        }
        let mut reader = Reader::new(stream.until(std::future::ready(())));
        let mut bytes = 0;
        while let Poll::Ready(Some(chunk)) = reader.poll() {
            bytes += chunk.len();
        }
        assert_eq!(bytes, 5 * ((1 << 20) + "data: \n\n".len()));
        assert!(reader.has_ended() && target.is_drained());
    }

    #[test]
    fn the_first_reason_stays_and_nothing_follows_it() {
        for reason in [CloseReason::Closed, CloseReason::Aborted] {
            let (target, signal, mut reader) = scene();
            assert!(target.dispatch_message("1").is_ok());
            if reason == CloseReason::Closed {
                target.close();
            } else {
                target.abort();
            }
            signal.give();
            if reason == CloseReason::Closed {
                assert_eq!(reader.chunk(), "data: 1\n\n");
            }
            assert!(reader.has_ended(), "{reason:?}");
            assert_eq!(target.close_reason(), Some(reason));
        }
    }

    #[test]
    fn a_future_that_panics_in_its_drop_has_ended_the_stream_all_the_same() {
        struct Unwinds;
        impl std::future::Future for Unwinds {
            type Output = ();
            fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
                Poll::Ready(())
            }
        }
        impl Drop for Unwinds {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new("a future's panic"));
            }
        }
        let (target, stream) = channel();
        assert!(target.dispatch_message("1").is_ok());
        let bye = Frame::new(&Event::message("bye"));
        let mut reader = Reader::new(stream.until(Unwinds).with_farewell(bye));
        let poll = std::panic::AssertUnwindSafe(|| reader.poll());
        assert!(std::panic::catch_unwind(poll).is_err());
        assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
        assert_eq!(reader.chunk(), "data: 1\n\n");
        assert_eq!(reader.chunk(), "data: bye\n\n");
        assert!(reader.has_ended());
    }

    #[test]
    fn a_target_that_closes_before_says_no_farewell() {
        let (target, _signal, mut reader) = scene();
        assert!(reader.is_pending());
        target.close();
        assert_eq!(reader.wakes.take(), 1);
        assert!(reader.has_ended());
    }

    #[test]
    fn a_client_that_goes_before_is_gone() {
        let (target, _signal, mut reader) = scene();
        assert!(reader.is_pending());
        drop(reader);
        assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
    }

    #[test]
    fn a_close_listener_that_panics_leaves_a_stream_that_ends() {
        let (target, signal, mut reader) = scene();
        let panicked = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&panicked);
        target.on_close(move |_| {
            flag.store(true, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new("a listener's panic"));
        });
        assert!(target.dispatch_message("1").is_ok());
        signal.give();
        let poll = std::panic::AssertUnwindSafe(|| reader.poll());
        assert!(std::panic::catch_unwind(poll).is_err());
        assert!(panicked.load(Ordering::Relaxed));
        assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
        assert_eq!(reader.chunk(), "data: 1\n\n");
        assert_eq!(reader.chunk(), BYE);
        assert!(reader.has_ended());
    }

    #[test]
    fn what_is_dispatched_between_two_polls_of_a_stack_is_joined_and_wakes() {
        let (target, stream) = channel();
        let signal = Signal::new();
        let large = Frame::new(&Event::message("x".repeat(5000)));
        let mut reader = Reader::new(stream.until(signal.given()).coalesce(64 * 1024));
        assert!(reader.is_pending());
        for _ in 0..3 {
            // A large frame is a chunk of its own.
            assert!(target.dispatch_message("1").is_ok());
            assert!(target.dispatch_frame(&large).is_ok());
            assert!(target.dispatch_message("2").is_ok());
            assert_eq!(reader.wakes.take(), 1);
            assert_eq!(
                reader.chunk().len(),
                2 * "data: 1\n\n".len() + large.as_bytes().len()
            );
            assert!(target.dispatch_message("3").is_ok());
            assert_eq!(reader.chunk(), "data: 3\n\n");
            assert!(reader.is_pending());
        }
        target.close();
        assert_eq!(reader.wakes.take(), 1);
        assert!(reader.has_ended());
    }
}

mod in_a_stack {
    use std::future::ready;
    use std::time::Duration;

    use futures::StreamExt;
    use futures::executor::block_on;
    use sse_proto::adapt::Preamble;
    use sse_proto::target::CloseReason;
    use sse_proto::{EventStream, channel};

    use super::*;
    use crate::support::fakes::Clock;

    type Stack = Pin<Box<dyn EventStreamExt<Item = Bytes>>>;
    type Around = fn(Stack) -> Stack;

    /// Each adapter but `until`, and two of them.
    fn adapters() -> Vec<(&'static str, Around)> {
        fn linger(stack: Stack) -> Stack {
            let timer = |_: Duration| std::future::pending::<()>();
            Box::pin(stack.coalesce(100).linger(Duration::from_secs(1), timer))
        }
        fn preamble(stack: Stack) -> Stack {
            Box::pin(stack.preamble(&Preamble::new().with_comment("hello")))
        }
        fn keep_alive(stack: Stack) -> Stack {
            let timer = |_: Duration| std::future::pending::<()>();
            Box::pin(stack.keep_alive(Duration::from_secs(1), timer))
        }
        vec![
            ("nothing", |stack| stack),
            ("keep_alive", keep_alive),
            ("preamble", preamble),
            ("coalesce", |stack| Box::pin(stack.coalesce(100))),
            ("linger", linger),
            ("another until", |stack| {
                Box::pin(
                    stack
                        .until(std::future::pending::<()>())
                        .with_farewell(bye()),
                )
            }),
            ("linger, keep_alive", |stack| keep_alive(linger(stack))),
        ]
    }

    #[test]
    fn it_means_the_same_inside_and_outside_of_each_adapter() {
        for (name, around) in adapters() {
            let lives = [false, true].map(|is_outside| {
                let (target, stream) = channel();
                let signal = Signal::new();
                let until = |stack: Stack| -> Stack {
                    Box::pin(stack.until(signal.given()).with_farewell(bye()))
                };
                let stream: Stack = Box::pin(stream);
                let mut reader = Reader::new(if is_outside {
                    until(around(stream))
                } else {
                    around(until(stream))
                });
                let mut wire = String::new();
                assert!(target.dispatch_message("1").is_ok());
                while let Poll::Ready(Some(chunk)) = reader.poll() {
                    wire += std::str::from_utf8(&chunk).expect("a text");
                }
                assert!(target.dispatch_message("2").is_ok());
                signal.give();
                while let Poll::Ready(Some(chunk)) = reader.poll() {
                    wire += std::str::from_utf8(&chunk).expect("a text");
                }
                assert!(reader.has_ended(), "{name}");
                assert!(target.is_drained(), "{name}");
                (wire, target.close_reason())
            });
            let [inside, outside] = lives;
            assert_eq!(inside, outside, "{name}");
            let (wire, reason) = outside;
            assert!(
                wire.ends_with("data: 1\n\ndata: 2\n\ndata: bye\n\n"),
                "{name}: {wire}"
            );
            assert_eq!(reason, Some(CloseReason::Shutdown), "{name}");
        }
    }

    #[test]
    fn what_linger_holds_is_delivered() {
        let (target, stream) = channel();
        let (clock, signal) = (Clock::new(), Signal::new());
        let stream = stream
            .coalesce(100)
            .linger(Duration::from_secs(1), clock.timer());
        let mut reader = Reader::new(stream.until(signal.given()).with_farewell(bye()));
        assert!(target.dispatch_message("1").is_ok());
        assert!(reader.is_pending(), "it is held");
        signal.give();
        assert_eq!(reader.chunk(), "data: 1\n\n");
        assert_eq!(reader.chunk(), BYE);
        assert!(reader.has_ended() && target.is_drained());
        assert_eq!(clock.sleeps(), 0);
    }

    #[test]
    fn the_first_of_several_says_goodbye_and_no_other() {
        let other = || Frame::new(&Event::message("other"));
        for inner_first in [false, true] {
            let (target, stream) = channel();
            let (inner, outer) = (Signal::new(), Signal::new());
            let stream = stream.until(inner.given()).with_farewell(bye());
            let stream = stream.until(outer.given()).with_farewell(other());
            let mut reader = Reader::new(stream);
            assert!(target.dispatch_message("1").is_ok());
            let [first, second] = if inner_first {
                [&inner, &outer]
            } else {
                [&outer, &inner]
            };
            first.give();
            assert_eq!(reader.chunk(), "data: 1\n\n");
            second.give();
            let farewell = if inner_first { BYE } else { "data: other\n\n" };
            assert_eq!(reader.chunk(), farewell);
            assert!(reader.has_ended());
            assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
        }
    }

    #[test]
    fn a_target_that_was_closed_before_says_no_farewell_whatever_is_held() {
        let (target, stream) = channel();
        let (clock, signal) = (Clock::new(), Signal::new());
        let stream = stream
            .coalesce(100)
            .linger(Duration::from_secs(1), clock.timer());
        let mut reader = Reader::new(stream.until(signal.given()).with_farewell(bye()));
        assert!(target.dispatch_message("1").is_ok());
        assert!(reader.is_pending());
        target.close();
        signal.give();
        assert_eq!(reader.chunk(), "data: 1\n\n");
        assert!(reader.has_ended());
        assert_eq!(target.close_reason(), Some(CloseReason::Closed));
    }

    #[test]
    fn an_event_stream_within_a_stream_from_elsewhere_is_dropped() {
        // `chain` of another crate does not pass the end inwards.
        let (target, stream) = channel();
        let hello = futures::stream::iter([Bytes::from("data: hello\n\n")]);
        let stream = from_stream(hello.chain(stream)).until(ready(()));
        let chunks = block_on(stream.with_farewell(bye()).collect::<Vec<_>>());
        assert_eq!(chunks, ["data: hello\n\n", BYE]);
        assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
    }

    #[test]
    fn a_boxed_stack_ends_as_it_does_unboxed() {
        fn boxed(stream: EventStream) -> Pin<Box<dyn EventStreamExt<Item = Bytes> + Send>> {
            Box::pin(stream.preamble(&Preamble::new().with_comment("hello")))
        }
        let (target, stream) = channel();
        assert!(target.dispatch_message("1").is_ok());
        let stream = boxed(stream).until(ready(())).with_farewell(bye());
        let chunks = block_on(stream.collect::<Vec<_>>());
        assert_eq!(chunks, [": hello\n", "data: 1\n\n", BYE]);
        assert_eq!(target.close_reason(), Some(CloseReason::Shutdown));
    }
}

mod of_a_subscription {
    use std::future::ready;

    use futures::StreamExt;
    use futures::executor::block_on;
    use sse_proto::Broadcast;
    use sse_proto::broadcast::{Key, Retention, SubscribeOptions};

    use super::*;

    fn publish(broadcast: &Broadcast, data: &str) {
        let published = broadcast.publish(&Event::message(data));
        published.expect("it is open");
    }

    #[test]
    fn all_that_was_published_is_delivered_and_nothing_is_waited_for() {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let signal = Signal::new();
        let stream = broadcast.subscribe(None).or_live_untold().coalesce(10);
        let mut reader = Reader::new(stream.until(signal.given()).with_farewell(bye()));
        assert!(reader.is_pending());
        publish(&broadcast, "1");
        publish(&broadcast, "2");
        signal.give();
        assert_eq!(reader.chunk(), "data: 1\n\ndata: 2\n\n");
        publish(&broadcast, "3");
        assert_eq!(reader.chunk(), BYE);
        assert!(reader.has_ended());
        assert_eq!(broadcast.statistics().subscribers, 0);
    }

    #[test]
    fn one_that_has_read_all_ends_at_once() {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let signal = Signal::new();
        let stream = broadcast.subscribe(None).or_live_untold();
        let mut reader = Reader::new(stream.until(signal.given()).with_farewell(bye()));
        assert!(reader.is_pending());
        signal.give();
        assert_eq!(reader.wakes.take(), 1);
        assert_eq!(reader.chunk(), BYE);
        assert!(reader.has_ended());
        publish(&broadcast, "1");
        assert!(reader.has_ended());
        assert_eq!(broadcast.statistics().subscribers, 0);
    }

    #[test]
    fn what_comes_after_many_frames_for_others_is_delivered() {
        let retention = Retention::new(100_000, 64 << 20);
        let broadcast = Broadcast::with_key(retention, Key::number());
        let rare = sse_proto::EventType::from_static("rare");
        let options = SubscribeOptions::new().with_event_types([rare.clone()]);
        let stream = broadcast.subscribe_with(None, &options).or_live_untold();
        (0..3_000).for_each(|_| publish(&broadcast, &"x".repeat(992)));
        let last = broadcast.publish(&Event::new(rare, "last"));
        last.expect("it is open");
        let stream = stream.until(ready(())).with_farewell(bye());
        let chunks = block_on(stream.collect::<Vec<_>>());
        assert_eq!(chunks, ["event: rare\ndata: last\n\n", BYE]);
    }

    #[test]
    fn one_that_all_frames_pass_by_ends_after_them() {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let rare = sse_proto::EventType::from_static("rare");
        let options = SubscribeOptions::new().with_event_types([rare]);
        let stream = broadcast.subscribe_with(None, &options).or_live_untold();
        publish(&broadcast, "1");
        let mut reader = Reader::new(stream.until(ready(())).with_farewell(bye()));
        assert_eq!(reader.chunk(), BYE);
        assert!(reader.has_ended());
    }

    #[test]
    fn a_broadcast_that_was_closed_before_has_the_last_word() {
        let broadcast = Broadcast::with_key(Retention::default(), Key::number());
        let stream = broadcast.subscribe(None).or_live_untold();
        publish(&broadcast, "1");
        broadcast.close(Some(Frame::new(&Event::message("closed"))));
        let stream = stream.until(ready(())).with_farewell(bye());
        let chunks = block_on(stream.collect::<Vec<_>>());
        assert_eq!(chunks, ["data: 1\n\n", "data: closed\n\n"]);
    }
}
