//! The single-threaded channel: what it does as `channel()` does, with what is not `Send`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use sse_proto::target::{
    CloseReason, DispatchError, Dispatched, Limits, LocalEventStream, LocalTarget, On,
    local_channel_with,
};
use sse_proto::{Event, EventStreamExt, Frame, local_channel};

const SENT: Result<Dispatched, DispatchError> = Ok(Dispatched::Sent);

/// How many dispatches may run within each other.
const MAX_DEPTH: usize = 16;

#[test]
fn what_is_dispatched_is_polled() {
    let (target, mut stream) = local_channel();
    assert_eq!(stream.next().now_or_never(), None);
    assert_eq!(target.dispatch_message("1"), SENT);
    assert_eq!(target.clone().dispatch_comment("2"), Ok(()));
    let frame = Frame::new(&Event::message("3"));
    assert_eq!(target.dispatch_frame(&frame), Ok(()));
    let chunk = stream.next().now_or_never().flatten().unwrap();
    assert_eq!(chunk, "data: 1\n\n: 2\ndata: 3\n\n");
    drop(target);
    assert_eq!(stream.next().now_or_never(), Some(None));
}

#[test]
fn two_tasks_of_one_thread_talk() {
    let (target, stream) = local_channel_with(Limits::new().with_max_frames(2));
    let sends = async move {
        for number in 0..100_u32 {
            let event = Event::message("x").with_id(number);
            let permit = target.reserve(64).await.expect("it is open");
            assert_eq!(permit.dispatch(&event), SENT);
        }
    };
    let reads = stream.map(|chunk| chunk.to_vec()).concat();
    let ((), bytes) = block_on(futures::future::join(sends, reads));
    let text = String::from_utf8(bytes).unwrap();
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    assert!(ids.eq((0..100).map(|number: u32| number.to_string())));
}

#[test]
fn listeners_need_not_be_send_and_use_their_own_target() {
    let (target, mut stream) = local_channel();
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (log, own) = (Rc::clone(&heard), target.downgrade());
    target.listen(On::message().once(), move |dispatch| {
        let data = dispatch.event().data().unwrap().to_owned();
        log.borrow_mut().push(data);
        let own = own.upgrade().expect("it is open");
        assert_eq!(own.dispatch_message("nested"), SENT);
        let id = own.listen(On::every_event(), |_| panic!("added during the dispatch"));
        assert!(own.remove_listener(id));
    });
    assert_eq!(target.dispatch_message("outer"), SENT);
    assert_eq!(*heard.borrow(), ["outer"]);
    let chunk = stream.next().now_or_never().flatten().unwrap();
    assert_eq!(chunk, "data: nested\n\ndata: outer\n\n");
}

#[test]
fn dispatches_within_each_other_have_a_limit_and_targets_do_not_share_it() {
    let (target, _stream) = local_channel();
    let (other, _other_stream) = local_channel();
    other.listen(On::message(), |_| {});
    let deepest = Rc::new(Cell::new(0));
    let (depth, own) = (Rc::clone(&deepest), target.downgrade());
    target.listen(On::message(), move |_| {
        depth.set(depth.get() + 1);
        assert_eq!(other.dispatch_message("another target's"), SENT);
        match own.upgrade().unwrap().dispatch_message("deeper") {
            Ok(sent) => assert_eq!(sent, Dispatched::Sent),
            Err(error) => assert_eq!(error, DispatchError::TooDeep),
        }
    });
    for _ in 0..2 {
        deepest.set(0);
        assert_eq!(target.dispatch_message("x"), SENT);
        assert_eq!(deepest.get(), MAX_DEPTH);
    }
}

#[test]
fn permits_that_are_held_are_no_depth() {
    let (target, _stream) = local_channel();
    target.listen(On::message(), |_| {});
    let permits: Vec<_> = (0..2 * MAX_DEPTH)
        .map(|_| block_on(target.reserve(64)).expect("there is room"))
        .collect();
    assert_eq!(target.dispatch_message("x"), SENT);
    for permit in permits {
        assert_eq!(permit.dispatch(&Event::message("x")), SENT);
    }
}

#[test]
fn every_end_is_told() {
    type End = fn(LocalTarget, LocalEventStream);
    let ends: [(CloseReason, End); 5] = [
        (CloseReason::Closed, |target, _stream| target.close()),
        (CloseReason::Aborted, |target, _stream| target.abort()),
        (CloseReason::Failed, |_target, stream| stream.fail("broken")),
        (CloseReason::ClientGone, |_target, stream| drop(stream)),
        (CloseReason::Shutdown, |_target, stream| {
            let stream = stream.until(std::future::ready(()));
            assert!(block_on(stream.collect::<Vec<_>>()).is_empty());
        }),
    ];
    for (reason, end) in ends {
        let (target, stream) = local_channel();
        let told = Rc::new(RefCell::new(Vec::new()));
        let (close, error) = (Rc::clone(&told), Rc::clone(&told));
        target.on_close(move |reason| close.borrow_mut().push(reason.to_string()));
        target.on_error(move |failure| error.borrow_mut().push(failure.to_string()));
        let closed = target.closed();
        end(target.clone(), stream);
        assert!(target.is_closed());
        assert_eq!(closed.now_or_never(), Some(reason));
        let mut expected = vec![reason.to_string()];
        if reason == CloseReason::Failed {
            expected.push("broken".to_owned());
        }
        assert_eq!(*told.borrow(), expected);
    }
}

#[test]
fn a_waker_may_use_the_target() {
    use std::sync::Arc;
    use std::task::{Context, Wake, Waker};

    std::thread_local! {
        static TARGET: RefCell<Option<LocalTarget>> = const { RefCell::new(None) };
    }

    struct Reenters;
    impl Wake for Reenters {
        fn wake(self: Arc<Self>) {
            let target = TARGET.with_borrow(Option::clone).expect("it is set");
            assert_eq!(target.dispatch_comment("from the waker"), Ok(()));
        }
    }

    let (target, mut stream) = local_channel();
    TARGET.set(Some(target.clone()));
    let waker = Waker::from(Arc::new(Reenters));
    let mut context = Context::from_waker(&waker);
    assert!(stream.poll_next_unpin(&mut context).is_pending());
    assert_eq!(target.dispatch_message("x"), SENT);
    let chunk = stream.next().now_or_never().flatten().unwrap();
    assert_eq!(chunk, "data: x\n\n: from the waker\n");
    TARGET.set(None);
}
