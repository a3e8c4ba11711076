//! The forms of a target on which a play is played: here what they have in common, and the bare one, through its two
//! steps; `stage_channel.rs` has the others.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Mutex;

use sse_proto::target::{CloseReason, DispatchError, Dispatched, ListenerId, On};
use sse_proto::{Event, EventType, Frame, LocalListener, Target};

use super::play::{
    Action, ENOUGH, Heard, MARKER, MOST_LISTENERS, Message, Operation, Outcome, Rules, When,
};

/// A target of either form.
pub trait Stage {
    fn dispatch(&self, message: &Message) -> Result<Dispatched, DispatchError>;
    fn queue(&self, frame: &Frame) -> Result<(), DispatchError>;
    fn comment(&self, text: &str) -> Result<(), DispatchError>;
    fn counts(&self) -> (usize, usize, usize);
    fn listen(&self, when: When, once: bool, action: Action);
    fn remove(&self, number: usize) -> bool;
    fn take(&self) -> Option<Vec<u8>>;
    fn end(&self, reason: CloseReason);
    fn reason(&self) -> Option<CloseReason>;
    fn ends(&self) -> (bool, bool);
    fn log(&self) -> &Mutex<Vec<(usize, Heard)>>;

    /// Law 10: who was told to wait is woken, once, when there is something, and only then.
    fn check_wakes(&self) {}

    fn apply(&self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Dispatch(message) => Outcome::Dispatched(self.dispatch(message)),
            Operation::Queue(message) => {
                Outcome::Queued(self.queue(&message.with_event(Frame::new)))
            }
            Operation::Comment(len) => {
                Outcome::Queued(self.comment(&"x".repeat(usize::from(*len))))
            }
            Operation::Listen(when, once, action) => {
                self.listen(*when, *once, *action);
                Outcome::Nothing
            }
            Operation::Remove(number) => Outcome::Removed(self.remove(*number)),
            Operation::Take => Outcome::Taken(self.take()),
            Operation::End(reason) => {
                self.end(*reason);
                Outcome::Nothing
            }
        }
    }

    fn hear(&self, number: usize, heard: Heard, action: Action) {
        let heard_so_far = {
            let mut log = self.log().lock().unwrap();
            log.push((number, heard));
            log.len()
        };
        if heard_so_far > ENOUGH {
            return;
        }
        match action {
            Action::Nothing | Action::Cancel | Action::Stop => {}
            Action::Dispatch(message) => {
                let answer = self.dispatch(&message);
                self.log()
                    .lock()
                    .unwrap()
                    .push((number, Heard::Answer(answer)));
            }
            Action::Listen(when) => self.listen(when, false, Action::Nothing),
            Action::Remove(other) => {
                self.remove(other);
            }
            Action::End(reason) => self.end(reason),
            // Not `panic!`: a fuzzer's hook would end the process.
            Action::Panic => resume_unwind(Box::new("a listener's panic")),
        }
    }
}

/// Makes the closures of a listener of the play, for either form of target.
macro_rules! add_listener {
    ($target:expr, $stage:expr, $number:expr, $when:expr, $once:expr, $action:expr) => {{
        let (stage, number, action) = ($stage, $number, $action);
        // When the play is over, its stage goes, and what is told then is told to nobody.
        let tell = move |heard| {
            if let Some(stage) = stage() {
                stage.hear(number, heard, action);
            }
        };
        let on = match $when {
            When::Type(event_type) => Some(On::event_type(&EventType::from_static(event_type))),
            When::Every => Some(On::every_event()),
            When::Close | When::Error => None,
        };
        match on {
            Some(on) => {
                let on = if $once { on.once() } else { on };
                $target.listen(on, move |dispatch| {
                    let event = dispatch.event();
                    let event_type = event.event_type().map(|t| match t.as_str() {
                        "message" => "message",
                        "tick" => "tick",
                        _ => "close",
                    });
                    match action {
                        Action::Cancel => dispatch.prevent_default(),
                        Action::Stop => dispatch.stop_immediate_propagation(),
                        _ => {}
                    }
                    let message = Message {
                        event_type,
                        letter: b'x',
                        len: event
                            .data()
                            .map_or(0, |data| u8::try_from(data.len()).unwrap()),
                        cancelable: event.is_cancelable(),
                    };
                    tell(Heard::Event(message));
                })
            }
            None if $when == When::Close => $target.on_close(move |reason| {
                tell(Heard::Close(reason));
            }),
            None => $target.on_error(move |error| {
                tell(Heard::Error(error.to_string()));
            }),
        }
    }};
}

pub(super) use add_listener;

/// The frame that marks gaps in a play.
pub(super) fn marker() -> Frame {
    let marker = Frame::new(&Event::message("gap"));
    assert_eq!(marker.as_bytes(), MARKER);
    marker
}

#[derive(Clone)]
pub struct Bare(Rc<BareState>);

struct BareState {
    target: RefCell<Target<LocalListener>>,
    ids: RefCell<Vec<ListenerId>>,
    log: Mutex<Vec<(usize, Heard)>>,
}

impl Bare {
    pub fn new(rules: Rules) -> Self {
        let mut target = Target::with_limits(rules.limits());
        target.set_gap_marker(rules.marked.then(marker));
        Self(Rc::new(BareState {
            target: RefCell::new(target),
            ids: RefCell::default(),
            log: Mutex::default(),
        }))
    }

    /// Does something that may end the stream, and tells the listeners then.
    fn told<T>(&self, work: impl FnOnce(&mut Target<LocalListener>) -> T) -> T {
        let outcome = work(&mut self.0.target.borrow_mut());
        let ending = self.0.target.borrow_mut().take_ending();
        if let Some(ending) = ending {
            ending.run();
        }
        outcome
    }
}

impl Stage for Bare {
    fn dispatch(&self, message: &Message) -> Result<Dispatched, DispatchError> {
        message.with_event(|event| {
            let pending = self.told(|target| target.begin(event))?;
            let mut decided = pending.run_listeners();
            let outcome = self.told(|target| target.commit(&mut decided));
            let again = self.0.target.borrow_mut().commit(&mut decided);
            assert_eq!(outcome, again, "a second commit changes nothing");
            outcome
        })
    }

    fn queue(&self, frame: &Frame) -> Result<(), DispatchError> {
        self.told(|target| target.queue_frame(frame))
    }

    fn comment(&self, text: &str) -> Result<(), DispatchError> {
        let block = Event::block().with_comment(text);
        let pending = self.told(|target| target.begin(&block))?;
        let mut decided = pending.run_listeners();
        self.told(|target| target.commit(&mut decided)).map(|_| ())
    }

    fn counts(&self) -> (usize, usize, usize) {
        let target = self.0.target.borrow();
        (
            target.queued_frames(),
            target.queued_bytes(),
            target.dropped_frames(),
        )
    }

    fn listen(&self, when: When, once: bool, action: Action) {
        let number = self.0.ids.borrow().len();
        if number == MOST_LISTENERS || self.reason().is_some() {
            return;
        }
        // Weak, or the target would hold itself.
        let weak = Rc::downgrade(&self.0);
        let stage = move || weak.upgrade().map(Bare);
        let mut target = self.0.target.borrow_mut();
        let id = add_listener!(target, stage, number, when, once, action).expect("it is open");
        self.0.ids.borrow_mut().push(id);
    }

    fn remove(&self, number: usize) -> bool {
        let Some(&id) = self.0.ids.borrow().get(number) else {
            return false;
        };
        let removed = self.0.target.borrow_mut().remove_listener(id);
        removed.is_some()
    }

    fn take(&self) -> Option<Vec<u8>> {
        take_all(|| self.0.target.borrow_mut().next_chunk())
    }

    fn end(&self, reason: CloseReason) {
        let ending = if reason == CloseReason::Failed {
            self.0.target.borrow_mut().begin_failure("failed").ok()
        } else {
            self.0.target.borrow_mut().begin_close(reason)
        };
        if let Some(ending) = ending {
            ending.run();
        }
    }

    fn reason(&self) -> Option<CloseReason> {
        let target = self.0.target.borrow();
        assert_eq!(target.is_closed(), target.close_reason().is_some());
        target.close_reason()
    }

    fn ends(&self) -> (bool, bool) {
        let target = self.0.target.borrow();
        (target.is_ended(), target.is_drained())
    }

    fn log(&self) -> &Mutex<Vec<(usize, Heard)>> {
        &self.0.log
    }
}

pub(super) fn take_all<B: AsRef<[u8]>>(mut next: impl FnMut() -> Option<B>) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = next() {
        assert!(!chunk.as_ref().is_empty(), "a chunk is never empty");
        assert!(all.len() < 1 << 20, "more than was ever queued");
        all.extend_from_slice(chunk.as_ref());
    }
    (!all.is_empty()).then_some(all)
}
