//! A target and its stream: `channel()`, `local_channel()`, and the latter without an executor.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use sse_proto::deps::futures_core::stream::{FusedStream, Stream};
use sse_proto::target::{
    CloseReason, DispatchError, Dispatched, ListenerId, Local, LocalEventStream, LocalTarget, On,
    WeakTarget, channel_with, local_channel_with,
};
use sse_proto::{EventStream, EventType, Frame, Target};

use super::fakes::Wakes;
use super::play::{Action, Heard, MOST_LISTENERS, Message, Rules, When};
use super::stage::{Stage, add_listener, marker, take_all};

/// A stage over a handle and a stream, for each way to share.
macro_rules! channel {
    ($Channel:ident, $State:ident, $Handle:ty, $Weak:ty, $Stream:ty, $open:path, $poll:expr) => {
        #[derive(Clone)]
        pub struct $Channel {
            target: $Handle,
            shared: Arc<$State>,
        }

        struct $State {
            /// `None` once the client is gone.
            stream: Mutex<Option<$Stream>>,
            wakes: Arc<Wakes>,
            /// How many wakes there had been when the stream last said `Pending`.
            waits_since: Mutex<Option<usize>>,
            ids: Mutex<Vec<ListenerId>>,
            log: Mutex<Vec<(usize, Heard)>>,
        }

        impl $Channel {
            pub fn new(rules: Rules) -> Self {
                let (target, stream) = $open(rules.limits());
                let set = target.set_gap_marker(rules.marked.then(marker));
                set.expect("it has no id");
                let shared = Arc::new($State {
                    stream: Mutex::new(Some(stream)),
                    wakes: Wakes::new(),
                    waits_since: Mutex::default(),
                    ids: Mutex::default(),
                    log: Mutex::default(),
                });
                Self { target, shared }
            }

            fn revive(target: &$Weak, shared: &std::sync::Weak<$State>) -> Option<Self> {
                Some(Self {
                    target: target.upgrade()?,
                    shared: shared.upgrade()?,
                })
            }
        }

        impl Stage for $Channel {
            fn dispatch(&self, message: &Message) -> Result<Dispatched, DispatchError> {
                message.with_event(|event| self.target.dispatch(event))
            }

            fn queue(&self, frame: &Frame) -> Result<(), DispatchError> {
                self.target.dispatch_frame(frame)
            }

            fn comment(&self, text: &str) -> Result<(), DispatchError> {
                self.target.dispatch_comment(text)
            }

            fn counts(&self) -> (usize, usize, usize) {
                let target = &self.target;
                (
                    target.queued_frames(),
                    target.queued_bytes(),
                    target.dropped_frames(),
                )
            }

            fn listen(&self, when: When, once: bool, action: Action) {
                let closed = self.reason().is_some();
                let mut ids = self.shared.ids.lock().unwrap();
                let number = ids.len();
                if number == MOST_LISTENERS || closed {
                    return;
                }
                let weak = (self.target.downgrade(), Arc::downgrade(&self.shared));
                let stage = move || $Channel::revive(&weak.0, &weak.1);
                ids.push(add_listener!(
                    self.target,
                    stage,
                    number,
                    when,
                    once,
                    action
                ));
            }

            fn remove(&self, number: usize) -> bool {
                let id = self.shared.ids.lock().unwrap().get(number).copied();
                id.is_some_and(|id| self.target.remove_listener(id))
            }

            fn take(&self) -> Option<Vec<u8>> {
                let mut stream = self.shared.stream.lock().unwrap();
                let stream = stream.as_mut()?;
                let waker = self.shared.wakes.waker();
                let mut context = Context::from_waker(&waker);
                *self.shared.waits_since.lock().unwrap() = None;
                let poll: fn(&mut $Stream, &mut Context<'_>) -> (_, bool) = $poll;
                take_all(|| match poll(stream, &mut context) {
                    (Poll::Ready(chunk), _) => chunk,
                    (Poll::Pending, keeps_waker) => {
                        let wakes = self.shared.wakes.count();
                        *self.shared.waits_since.lock().unwrap() = keeps_waker.then_some(wakes);
                        None
                    }
                })
            }

            fn check_wakes(&self) {
                let Some(before) = *self.shared.waits_since.lock().unwrap() else {
                    return;
                };
                let something = self.target.queued_frames() > 0 || self.ends().0;
                let wakes = self.shared.wakes.count() - before;
                assert_eq!(wakes, usize::from(something), "wakes");
            }

            fn end(&self, reason: CloseReason) {
                match reason {
                    CloseReason::Closed => self.target.close(),
                    CloseReason::Aborted => self.target.abort(),
                    CloseReason::Failed => self.target.fail("failed"),
                    CloseReason::ClientGone => {
                        // Two statements: its close listeners may use the stage.
                        let stream = self.shared.stream.lock().unwrap().take();
                        drop(stream);
                    }
                    other => unreachable!("no play ends so: {other:?}"),
                }
            }

            fn reason(&self) -> Option<CloseReason> {
                assert_eq!(
                    self.target.is_closed(),
                    self.target.close_reason().is_some()
                );
                self.target.close_reason()
            }

            fn ends(&self) -> (bool, bool) {
                let stream = self.shared.stream.lock().unwrap();
                let is_ended = stream.as_ref().is_none_or(FusedStream::is_terminated);
                (is_ended, self.target.is_drained())
            }

            fn log(&self) -> &Mutex<Vec<(usize, Heard)>> {
                &self.shared.log
            }
        }
    };
}

channel!(
    Channel,
    ChannelState,
    Target,
    WeakTarget,
    EventStream,
    channel_with,
    |stream, context| (Pin::new(stream).poll_next(context), true)
);
channel!(
    LocalChannel,
    LocalChannelState,
    LocalTarget,
    WeakTarget<Local>,
    LocalEventStream,
    local_channel_with,
    |stream, context| (Pin::new(stream).poll_next(context), true)
);
// Nobody is woken: `try_next` keeps no waker.
channel!(
    PolledByHand,
    PolledByHandState,
    LocalTarget,
    WeakTarget<Local>,
    LocalEventStream,
    local_channel_with,
    |stream, _| (stream.try_next(), false)
);
