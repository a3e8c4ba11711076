//! Who hears an event, in which order, and what a listener may do to it and to its target.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::executor::block_on;
use sse_proto::target::{CloseReason, DispatchError, Dispatched, Limits, On, channel_with};
use sse_proto::{Event, EventType, Frame, Target, channel};

use crate::support::model::MAX_DEPTH;
use crate::tick;

#[test]
fn listeners_do_not_see_blocks_frames_and_comments() {
    let (target, _stream) = channel();
    target.listen(On::every_event(), |_| panic!("this is no event"));
    assert_eq!(
        target.dispatch(&Event::block().with_id(1_u8)),
        Ok(Dispatched::Sent)
    );
    target
        .dispatch_frame(&Frame::new(&Event::message("x")))
        .unwrap();
    target.dispatch_comment("x").unwrap();
}

/// Dispatches one `tick` and returns which of the listeners ran.
fn heard(
    add: impl FnOnce(&Target, &dyn Fn(&'static str) -> Box<dyn Fn() + Send + Sync>),
) -> (Vec<&'static str>, Dispatched) {
    let (target, _stream) = channel();
    let ran = Arc::new(Mutex::new(Vec::new()));
    add(&target, &|name| {
        let ran = Arc::clone(&ran);
        Box::new(move || ran.lock().unwrap().push(name))
    });
    let sent = target.dispatch(&tick()).unwrap();
    let ran = ran.lock().unwrap().clone();
    (ran, sent)
}

#[test]
fn listeners_of_one_type_and_of_all_run_in_the_order_of_their_registration() {
    let order = heard(|target, ran| {
        let (all, own, other, last) = (ran("all"), ran("own"), ran("other"), ran("last"));
        let on_tick = || On::event_type(&EventType::from_static("tick"));
        target.listen(On::every_event(), move |_| all());
        target.listen(on_tick(), move |_| own());
        target.listen(On::message(), move |_| other());
        target.listen(On::every_event(), move |_| last());
    });
    assert_eq!(order, (vec!["all", "own", "last"], Dispatched::Sent));
}

#[test]
fn after_prevent_default_later_listeners_still_run() {
    let canceled = heard(|target, ran| {
        let (first, second) = (ran("first"), ran("second"));
        target.listen(On::every_event(), move |dispatch| {
            first();
            dispatch.prevent_default();
        });
        target.listen(On::every_event(), move |dispatch| {
            second();
            assert!(dispatch.is_canceled());
        });
    });
    assert_eq!(canceled, (vec!["first", "second"], Dispatched::Canceled));
}

#[test]
fn after_stop_immediate_propagation_no_listener_runs_and_the_event_is_sent() {
    let stopped = heard(|target, ran| {
        let (first, second) = (ran("first"), ran("second"));
        target.listen(On::every_event(), move |dispatch| {
            first();
            dispatch.stop_immediate_propagation();
        });
        target.listen(On::every_event(), move |_| second());
    });
    assert_eq!(stopped, (vec!["first"], Dispatched::Sent));
}

#[test]
fn what_is_not_cancelable_is_sent() {
    let (target, _stream) = channel();
    target.listen(On::every_event(), |dispatch| {
        dispatch.prevent_default();
        assert!(!dispatch.is_canceled());
    });
    assert_eq!(
        target.dispatch(&tick().with_cancelable(false)),
        Ok(Dispatched::Sent)
    );
}

#[test]
fn a_once_listener_hears_one_event() {
    let (target, _stream) = channel();
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    target.listen(On::every_event().once(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    for _ in 0..3 {
        target.dispatch_message("x").unwrap();
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn a_listener_uses_its_own_target() {
    let (target, mut stream) = channel();
    let own = target.clone();
    let id = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&id);
    *id.lock().unwrap() = Some(target.listen(
        On::event_type(&EventType::from_static("tick")),
        move |_| {
            assert_eq!(own.dispatch_message("nested"), Ok(Dispatched::Sent));
            let late = own.listen(On::every_event(), |_| panic!("added during the dispatch"));
            assert!(own.remove_listener(late));
            assert!(own.remove_listener(seen.lock().unwrap().unwrap()));
        },
    ));
    assert_eq!(target.dispatch(&tick()), Ok(Dispatched::Sent));
    assert_eq!(
        block_on(stream.next()).unwrap(),
        "data: nested\n\nevent: tick\ndata: \n\n",
        "the order of the commits"
    );
    drop(target);
    assert_eq!(
        block_on(stream.next()),
        None,
        "the removed listener held the last handle"
    );
}

#[test]
fn dispatches_within_each_other_have_a_limit_and_threads_do_not_share_it() {
    let (target, _stream) = channel();
    let weak = target.downgrade();
    let deepest = Arc::new(AtomicUsize::new(0));
    let depth = Arc::clone(&deepest);
    target.listen(On::message(), move |_| {
        depth.fetch_add(1, Ordering::SeqCst);
        match weak.upgrade().unwrap().dispatch_message("deeper") {
            Ok(sent) => assert_eq!(sent, Dispatched::Sent),
            Err(error) => assert_eq!(error, DispatchError::TooDeep),
        }
    });
    assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Sent));
    assert_eq!(deepest.load(Ordering::SeqCst), MAX_DEPTH);

    let (target, _stream) = channel();
    let meet = Arc::new(std::sync::Barrier::new(2 * MAX_DEPTH));
    let all = Arc::clone(&meet);
    target.listen(On::message(), move |_| _ = all.wait());
    std::thread::scope(|scope| {
        for _ in 0..2 * MAX_DEPTH {
            let target: Target = target.clone();
            scope.spawn(move || assert_eq!(target.dispatch_message("x"), Ok(Dispatched::Sent)));
        }
    });
}

#[test]
fn a_listener_that_panics_leaves_the_target_whole() {
    let (target, mut stream) = channel_with(Limits::new().with_max_frames(1));
    let id = target.listen(On::message(), |_| panic!("a listener's panic"));
    let dispatch = || target.dispatch_message("x");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(dispatch)).is_err());
    assert!(target.remove_listener(id));
    assert_eq!(
        target.dispatch_message("y"),
        Ok(Dispatched::Sent),
        "the room came back"
    );
    assert_eq!(block_on(stream.next()).unwrap(), "data: y\n\n");
}

#[test]
fn a_close_listener_that_panics_leaves_the_target_closed() {
    let (target, stream) = channel();
    let closed = target.closed();
    target.on_close(|_| panic!("a listener's panic"));
    let end = || drop(stream);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(end)).is_err());
    assert_eq!(target.close_reason(), Some(CloseReason::ClientGone));
    assert_eq!(
        block_on(closed),
        CloseReason::ClientGone,
        "told before the listeners"
    );
}

#[test]
fn a_listener_that_holds_its_target_goes_when_the_client_goes() {
    let (target, stream) = channel();
    let held = Arc::new(());
    let (own, witness) = (target.clone(), Arc::clone(&held));
    target.listen(On::every_event(), move |_| _ = (&own, &witness));
    drop(target);
    assert_eq!(Arc::strong_count(&held), 2);
    drop(stream);
    assert_eq!(Arc::strong_count(&held), 1, "no cycle outlives the end");
}
