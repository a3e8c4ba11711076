//! Local listeners: their order, `once`, and their removal.
//!
//! The list is copy-on-write. A dispatch takes a snapshot and runs its listeners with no borrow and
//! no lock held, so a listener may use the target that it listens to. Removed listeners are
//! returned instead of dropped here, because dropping a listener can run user code.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::error::Error;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::dispatch::Dispatch;
use super::foreign::Panics;
use super::state::CloseReason;
use crate::wire::field::{EventType, MESSAGE};

/// Selects the events for which a listener runs.
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
#[derive(Debug)]
pub struct On {
    occasion: OccasionKind,
    once: bool,
}

impl On {
    /// Selects the events of one type. Events without a type have the type `message`.
    pub fn event_type(event_type: &EventType<'_>) -> Self {
        Self::occasion(OccasionKind::EventType(event_type.as_str().into()))
    }

    /// Selects the events without a type, and those of the type `message`.
    pub fn message() -> Self {
        Self::occasion(OccasionKind::EventType(MESSAGE.into()))
    }

    /// Selects the events of all types.
    pub fn every_event() -> Self {
        Self::occasion(OccasionKind::EveryEvent)
    }

    /// Selects only the first event that matches: the listener is removed before it runs.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(crate) fn close() -> Self {
        Self::occasion(OccasionKind::Close)
    }

    pub(crate) fn error() -> Self {
        Self::occasion(OccasionKind::Error)
    }

    fn occasion(occasion: OccasionKind) -> Self {
        let once = false;
        Self { occasion, once }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum OccasionKind {
    EventType(Box<str>),
    EveryEvent,
    Close,
    Error,
}

/// Identifies a listener, to remove it. Unique within the process.
#[derive(Clone, Copy, Debug)]
pub struct ListenerId(usize);

impl ListenerId {
    fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The argument of a listener.
pub(crate) enum Occasion<'a> {
    Event(&'a Dispatch<'a>),
    Close(CloseReason),
    Error(&'a (dyn Error + Send + Sync + 'static)),
}

/// One listener. `F` is its closure, or the `dyn Fn` that closures are kept as.
pub(crate) struct Listener<F: ?Sized> {
    id: ListenerId,
    on: On,
    removed: AtomicBool,
    call: F,
}

impl<F> Listener<F> {
    pub(crate) fn new(on: On, call: F) -> Arc<Self> {
        Arc::new(Self {
            id: ListenerId::next(),
            on,
            removed: AtomicBool::new(false),
            call,
        })
    }
}

impl<F: Fn(&Occasion<'_>) + ?Sized> Listener<F> {
    pub(crate) fn id(&self) -> ListenerId {
        self.id
    }

    pub(crate) fn call(&self, occasion: &Occasion<'_>) {
        (self.call)(occasion);
    }

    fn is_live(&self) -> bool {
        !self.removed.load(Ordering::Relaxed)
    }

    fn remove(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }

    fn hears_events(&self) -> bool {
        let at_end = matches!(self.on.occasion, OccasionKind::Close | OccasionKind::Error);
        !at_end && self.is_live()
    }
}

/// The listeners of one target, in the order of their ids, which is that of their registration.
pub(crate) struct Listeners<F: ?Sized> {
    /// `None` until the first listener is added: a target without listeners allocates nothing.
    list: Option<Snapshot<F>>,
    /// The number of gaps in the list.
    gaps: usize,
    /// The list that was taken at the end. A listener can still be removed from it while the close
    /// listeners run.
    last: Weak<List<F>>,
}

/// Where a listener was removed, a gap is left. Gaps are dropped when they are the larger part, so
/// that to remove all of many listeners takes linear time.
type List<F> = Vec<(ListenerId, Option<Arc<Listener<F>>>)>;

/// The list at one moment. Dropping it may drop listeners, so drop it without a lock.
pub(crate) struct Snapshot<F: ?Sized>(Arc<List<F>>);

/// A listener that was removed, and the list that may be the last to hold it. Drop them without a
/// lock.
pub(crate) type Removed<F> = (Arc<Listener<F>>, Option<Snapshot<F>>);

impl<F: Fn(&Occasion<'_>) + ?Sized> Listeners<F> {
    pub(crate) const fn new() -> Self {
        Self {
            list: None,
            gaps: 0,
            last: Weak::new(),
        }
    }

    /// Returns whether a listener hears events.
    #[inline]
    pub(crate) fn hear_events(&self) -> bool {
        let list = self.list.as_ref();
        list.is_some_and(|list| list.iter().any(|listener| listener.hears_events()))
    }

    /// Adds a listener after all others. A dispatch that has begun does not run it.
    pub(crate) fn add(&mut self, listener: Arc<Listener<F>>) {
        let Snapshot(list) = self.list.get_or_insert_with(|| Snapshot(Arc::default()));
        let list = Arc::make_mut(list);
        // Another thread may have drawn a later id and come first.
        let at = list.partition_point(|(id, _)| id.0 < listener.id.0);
        list.insert(at, (listener.id, Some(listener)));
    }

    /// Removes a listener. A dispatch that has begun does not run it either.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Removed<F>> {
        let Some(list) = &mut self.list else {
            let last = Snapshot(self.last.upgrade()?);
            let listener = Arc::clone(last.live(id)?.1);
            listener.remove();
            return Some((listener, Some(last)));
        };
        let (at, _) = list.live(id)?;
        let list = Arc::make_mut(&mut list.0);
        let listener = list[at].1.take()?;
        listener.remove();
        self.gaps += 1;
        if self.gaps > list.len() / 2 {
            list.retain(|(_, listener)| listener.is_some());
            self.gaps = 0;
        }
        if list.is_empty() {
            self.list = None;
        }
        Some((listener, None))
    }

    /// Drops removed listeners, and `once` listeners that have run, from the list, even if their
    /// dispatch panicked. Returns the previous list.
    pub(crate) fn sweep(&mut self) -> Option<Snapshot<F>> {
        let list = self.list.clone()?;
        if !list.iter().all(|listener| listener.is_live()) {
            self.list = list.without_removed();
            self.gaps = 0;
        }
        Some(list)
    }

    /// Takes all listeners, at the end. No event listener runs after that, not even in a dispatch
    /// that has begun.
    #[must_use]
    pub(crate) fn take_all(&mut self) -> Option<Snapshot<F>> {
        let last = self.list.take()?;
        let of_events = last.iter().filter(|listener| listener.hears_events());
        of_events.for_each(|listener| listener.remove());
        self.last = Arc::downgrade(&last.0);
        Some(last)
    }
}

impl<F: Fn(&Occasion<'_>) + ?Sized> Snapshot<F> {
    fn iter(&self) -> impl Iterator<Item = &Arc<Listener<F>>> {
        self.0.iter().filter_map(|(_, listener)| listener.as_ref())
    }

    /// Returns a listener that was not removed, and where it is.
    fn live(&self, id: ListenerId) -> Option<(usize, &Arc<Listener<F>>)> {
        let at = self.0.binary_search_by_key(&id.0, |(id, _)| id.0).ok()?;
        let listener = self.0[at].1.as_ref()?;
        listener.is_live().then_some((at, listener))
    }

    /// Runs the listeners of an event, in order.
    pub(crate) fn run_event(&self, dispatch: &Dispatch<'_>) {
        let event_type = dispatch.event().event_type();
        let event_type = event_type.map_or(MESSAGE, |event_type| event_type.as_str());
        for listener in self.iter() {
            let hears = match &listener.on.occasion {
                OccasionKind::EventType(wanted) => **wanted == *event_type,
                OccasionKind::EveryEvent => true,
                OccasionKind::Close | OccasionKind::Error => false,
            };
            // Removed before it runs, so a nested dispatch does not run it a second time.
            let once = listener.on.once;
            if hears && !listener.removed.fetch_or(once, Ordering::Relaxed) {
                listener.call(&Occasion::Event(dispatch));
                if dispatch.is_stopped() {
                    break;
                }
            }
        }
    }

    /// Runs the close listeners in order, then the error listeners if there is an error.
    ///
    /// All of them run, even if one panics. Then the first panic continues.
    pub(crate) fn run_end(
        &self,
        reason: CloseReason,
        error: Option<&(dyn Error + Send + Sync + 'static)>,
    ) {
        let mut panics = Panics::default();
        self.run(&OccasionKind::Close, &Occasion::Close(reason), &mut panics);
        if let Some(error) = error {
            self.run(&OccasionKind::Error, &Occasion::Error(error), &mut panics);
        }
        self.iter().for_each(|listener| listener.remove());
        panics.go_on();
    }

    fn run(&self, kind: &OccasionKind, occasion: &Occasion<'_>, panics: &mut Panics) {
        let listeners = self.iter();
        for listener in listeners.filter(|listener| listener.on.occasion == *kind) {
            if !listener.removed.swap(true, Ordering::Relaxed) {
                panics.catch(|| listener.call(occasion));
            }
        }
    }

    fn without_removed(&self) -> Option<Self> {
        let live = self.iter().filter(|listener| listener.is_live());
        let list: Vec<_> = live
            .map(|listener| (listener.id, Some(Arc::clone(listener))))
            .collect();
        (!list.is_empty()).then(|| Self(Arc::new(list)))
    }
}

impl<F: ?Sized> Clone for Snapshot<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
