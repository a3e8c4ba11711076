//! How an adapter asks for what is there now.

use core::task::Waker;

/// The waker of who will ask again in any case, and need not be woken.
///
/// Anybody may take it for a usual waker. A stream of this crate that has nothing recognizes it, and
/// saves the work of keeping it. One `static`, since copies of the same waker may not know each
/// other.
pub(crate) static NOW: &Waker = Waker::noop();
