//! Local listeners: their order, `once`, removal, and how they are held.
//!
//! The list is copy-on-write. A dispatch takes a snapshot of it and runs the listeners with no
//! borrow and no lock held, so that a listener may use the target it listens to. Whatever leaves
//! the list is handed out and not dropped in here: dropping a listener runs code of the user's.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::sync::atomic::{AtomicBool, Ordering};

use super::dispatch::Dispatch;
use super::state::CloseReason;
use crate::wire::field::EventType;

/// Which events a listener hears.
///
/// # Examples
///
/// ```
/// use sse_proto::{EventType, On};
///
/// let tick = On::event_type(&EventType::from_static("tick"));
/// let first_message = On::message().once();
/// let all = On::every_event();
/// # let _ = (tick, first_message, all);
/// ```
#[derive(Clone, Debug)]
pub struct On {
    kind: Kind,
    once: bool,
}

impl On {
    /// Events of one type. `message` is the type of the events without one.
    pub fn event_type(event_type: &EventType<'_>) -> Self {
        Self::kind(Kind::EventType(event_type.as_str().into()))
    }

    /// Events without a type, or whose type is `message`.
    pub fn message() -> Self {
        Self::kind(Kind::EventType(MESSAGE.into()))
    }

    /// Events of all types.
    pub fn every_event() -> Self {
        Self::kind(Kind::EveryEvent)
    }

    /// The first such event only: the listener is removed before it runs.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(crate) fn close() -> Self {
        Self::kind(Kind::Close)
    }

    pub(crate) fn error() -> Self {
        Self::kind(Kind::Error)
    }

    fn kind(kind: Kind) -> Self {
        Self { kind, once: false }
    }
}

/// The type that an event without one arrives as.
const MESSAGE: &str = "message";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    EventType(Box<str>),
    EveryEvent,
    Close,
    Error,
}

/// Names a listener of one target, to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// What a listener is told.
pub(crate) enum Occasion<'a> {
    Event(&'a Dispatch<'a>),
    Close(CloseReason),
    Error(&'a (dyn Error + Send + Sync + 'static)),
}

/// How a target holds its listeners: [`SharedListener`](crate::SharedListener) or
/// [`LocalListener`](crate::LocalListener).
pub trait Listener: sealed::Call + Clone {}

pub(crate) mod sealed {
    pub trait Call {
        #[expect(private_interfaces, reason = "sealed: nobody else can name or call it")]
        fn call(&self, occasion: &super::Occasion<'_>);
    }
}

/// The listeners of one target, in the order of their registration.
pub(crate) struct Listeners<P> {
    // `None` until the first one comes: a target without listeners allocates nothing for them.
    list: Option<Snapshot<P>>,
    next: u64,
}

/// The list as it was at one moment. Dropping it may drop listeners, and so run code of the user's.
pub(crate) struct Snapshot<P>(Arc<Vec<Arc<Entry<P>>>>);

struct Entry<P> {
    id: ListenerId,
    on: On,
    removed: AtomicBool,
    listener: P,
}

impl<P: Listener> Listeners<P> {
    pub(crate) const fn new() -> Self {
        Self {
            list: None,
            next: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list
            .as_ref()
            .is_none_or(|Snapshot(list)| !list.iter().any(|entry| entry.is_live()))
    }

    /// An id that names no listener.
    pub(crate) fn unused_id(&mut self) -> ListenerId {
        let id = ListenerId(self.next);
        self.next += 1;
        id
    }

    /// Adds a listener behind all others; a dispatch that is under way does not run it.
    pub(crate) fn add(&mut self, on: On, listener: P) -> ListenerId {
        let id = self.unused_id();
        let entry = Arc::new(Entry {
            id,
            on,
            removed: AtomicBool::new(false),
            listener,
        });
        let Snapshot(list) = self.list.get_or_insert_with(|| Snapshot(Arc::default()));
        Arc::make_mut(list).push(entry);
        id
    }

    /// Removes a listener; a dispatch that is under way does not run it any more.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Snapshot<P>> {
        let Snapshot(list) = self.list.as_ref()?;
        let entry = list
            .iter()
            .find(|entry| entry.id == id && entry.is_live())?;
        entry.removed.store(true, Ordering::Relaxed);
        self.sweep()
    }

    /// Lets go of what is marked as removed.
    #[must_use]
    pub(crate) fn sweep(&mut self) -> Option<Snapshot<P>> {
        let old = self.list.take()?;
        let live = old.0.iter().filter(|entry| entry.is_live());
        let list: Vec<_> = live.cloned().collect();
        self.list = (!list.is_empty()).then(|| Snapshot(Arc::new(list)));
        Some(old)
    }

    /// Lets go of all, at the end: from here on no listener of events runs any more, also not in
    /// a dispatch that is under way.
    #[must_use]
    pub(crate) fn give_up(&mut self) -> Option<Snapshot<P>> {
        let last = self.list.take()?;
        for entry in last.0.iter() {
            if !matches!(entry.on.kind, Kind::Close | Kind::Error) {
                entry.removed.store(true, Ordering::Relaxed);
            }
        }
        Some(last)
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot<P>> {
        self.list.clone()
    }
}

impl<P: Listener> Snapshot<P> {
    /// Runs the listeners of an event, in order. Returns whether one of them ran that was to run
    /// once, so that the list is to be swept.
    pub(crate) fn run_event(&self, dispatch: &Dispatch<'_>) -> bool {
        let event_type = dispatch.event().event_type();
        let event_type = event_type.map_or(MESSAGE, |event_type| event_type.as_str());
        let mut swept = false;
        for entry in self.0.iter() {
            let hears = match &entry.on.kind {
                Kind::EventType(wanted) => **wanted == *event_type,
                Kind::EveryEvent => true,
                Kind::Close | Kind::Error => false,
            };
            // Removed before it runs, so that a nested dispatch does not run it a second time.
            if hears && !entry.removed.fetch_or(entry.on.once, Ordering::Relaxed) {
                swept |= entry.on.once;
                entry.listener.call(&Occasion::Event(dispatch));
                if dispatch.is_stopped() {
                    break;
                }
            }
        }
        swept
    }

    /// Runs the close listeners, in order.
    pub(crate) fn run_close(&self, reason: CloseReason) {
        self.run(&Kind::Close, &Occasion::Close(reason));
    }

    /// Runs the error listeners, in order.
    pub(crate) fn run_error(&self, error: &(dyn Error + Send + Sync + 'static)) {
        self.run(&Kind::Error, &Occasion::Error(error));
    }

    fn run(&self, kind: &Kind, occasion: &Occasion<'_>) {
        for entry in self.0.iter().filter(|entry| entry.on.kind == *kind) {
            if entry.is_live() {
                entry.listener.call(occasion);
            }
        }
    }
}

impl<P> Entry<P> {
    fn is_live(&self) -> bool {
        !self.removed.load(Ordering::Relaxed)
    }
}

impl<P> Clone for Snapshot<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
