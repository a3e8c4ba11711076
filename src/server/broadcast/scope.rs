//! Whose a frame is.

use alloc::sync::Arc;
use core::fmt;

/// Whose a frame is: a user, a tenant, a session. A clone shares the text.
///
/// The log keeps the text of each frame's scope. One above [`MAX_LEN`](Self::MAX_LEN) is refused where
/// it is published for: see [`PublishError::ScopeTooLong`](crate::broadcast::PublishError::ScopeTooLong).
///
/// # Examples
///
/// ```
/// let scope = sse_proto::broadcast::Scope::new("tenant-7");
/// assert_eq!(scope.as_str(), "tenant-7");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The most bytes that the text has of a scope that something is published for.
    pub const MAX_LEN: usize = 256;

    /// Makes a scope. Any text will do; it never goes out to a client.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
