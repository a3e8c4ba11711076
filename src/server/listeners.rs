//! Local listeners: their order, `once`, removal, and how they are held.
//!
//! The list is copy-on-write. A dispatch takes a snapshot of it and runs the listeners with no
//! borrow and no lock held, so that a listener may use the target it listens to. Whatever leaves
//! the list is handed out and not dropped in here: dropping a listener runs code of the user's.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::error::Error;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::dispatch::Dispatch;
use super::panics::Panics;
use super::state::CloseReason;
use crate::wire::field::EventType;

/// Which events a listener hears.
///
/// # Examples
///
/// ```
/// use sse_proto::target::On;
/// use sse_proto::EventType;
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

/// Names a listener, to remove it. No two listeners of a process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(usize);

impl ListenerId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

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
    /// The list that was given up at the end, as long as somebody runs it.
    last: Weak<Vec<Arc<Entry<P>>>>,
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
            last: Weak::new(),
        }
    }

    /// Returns whether somebody listens to events.
    pub(crate) fn hears_events(&self) -> bool {
        let list = self.list.as_ref();
        list.is_some_and(|Snapshot(list)| list.iter().any(|entry| entry.hears_events()))
    }

    /// Adds a listener behind all others; a dispatch that is under way does not run it.
    pub(crate) fn add(&mut self, on: On, listener: P) -> ListenerId {
        let id = ListenerId::next();
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
        let list = match &self.list {
            Some(list) => list.clone(),
            None => Snapshot(self.last.upgrade()?),
        };
        let mut entries = list.0.iter();
        let entry = entries.find(|entry| entry.id == id && entry.is_live())?;
        entry.removed.store(true, Ordering::Relaxed);
        self.list = self.list.take().and_then(|list| list.without_removed());
        Some(list)
    }

    /// Lets go of what is marked as removed, if anything is: listeners that ran once, also those
    /// whose dispatch never came to its end.
    #[must_use]
    pub(crate) fn sweep(&mut self) -> Option<Snapshot<P>> {
        let Snapshot(list) = self.list.as_ref()?;
        if list.iter().all(|entry| entry.is_live()) {
            return None;
        }
        let old = self.list.take()?;
        self.list = old.without_removed();
        Some(old)
    }

    /// Lets go of all, at the end: from here on no listener of events runs any more, also not in
    /// a dispatch that is under way.
    #[must_use]
    pub(crate) fn give_up(&mut self) -> Option<Snapshot<P>> {
        let last = self.list.take()?;
        for entry in last.0.iter().filter(|entry| entry.hears_events()) {
            entry.removed.store(true, Ordering::Relaxed);
        }
        self.last = Arc::downgrade(&last.0);
        Some(last)
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot<P>> {
        self.list.clone()
    }
}

impl<P: Listener> Snapshot<P> {
    /// Runs the listeners of an event, in order.
    pub(crate) fn run_event(&self, dispatch: &Dispatch<'_>) {
        let event_type = dispatch.event().event_type();
        let event_type = event_type.map_or(MESSAGE, |event_type| event_type.as_str());
        for entry in self.0.iter() {
            let hears = match &entry.on.kind {
                Kind::EventType(wanted) => **wanted == *event_type,
                Kind::EveryEvent => true,
                Kind::Close | Kind::Error => false,
            };
            // Removed before it runs, so that a nested dispatch does not run it a second time.
            if hears && !entry.removed.fetch_or(entry.on.once, Ordering::Relaxed) {
                entry.listener.call(&Occasion::Event(dispatch));
                if dispatch.is_stopped() {
                    break;
                }
            }
        }
    }

    /// Runs the close listeners, in order; all of them, whatever one does.
    pub(crate) fn run_close(&self, reason: CloseReason, panics: &mut Panics) {
        self.run(&Kind::Close, &Occasion::Close(reason), panics);
    }

    /// Runs the error listeners, in order; all of them, whatever one does.
    pub(crate) fn run_error(
        &self,
        error: &(dyn Error + Send + Sync + 'static),
        panics: &mut Panics,
    ) {
        self.run(&Kind::Error, &Occasion::Error(error), panics);
    }

    fn run(&self, kind: &Kind, occasion: &Occasion<'_>, panics: &mut Panics) {
        for entry in self.0.iter().filter(|entry| entry.on.kind == *kind) {
            if !entry.removed.swap(true, Ordering::Relaxed) {
                panics.catch(|| entry.listener.call(occasion));
            }
        }
    }

    /// Marks all as removed: nothing of this list runs any more.
    pub(crate) fn retire(&self) {
        for entry in self.0.iter() {
            entry.removed.store(true, Ordering::Relaxed);
        }
    }

    fn without_removed(&self) -> Option<Self> {
        let live = self.0.iter().filter(|entry| entry.is_live());
        let list: Vec<_> = live.cloned().collect();
        (!list.is_empty()).then(|| Self(Arc::new(list)))
    }
}

impl<P> Entry<P> {
    fn is_live(&self) -> bool {
        !self.removed.load(Ordering::Relaxed)
    }

    fn hears_events(&self) -> bool {
        self.is_live() && !matches!(self.on.kind, Kind::Close | Kind::Error)
    }
}

impl<P> Clone for Snapshot<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
