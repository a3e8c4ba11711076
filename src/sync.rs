//! The lock and the atomics for state that threads share.
//!
//! All code except `listeners.rs` imports them from here, so that the model checker in
//! `tests/model_check` can replace them. It builds these sources with its own `cfg` and tries the
//! possible interleavings of threads. No other memory depends on the atomics of `listeners.rs`, so
//! they need no such check.

#[cfg(not(sse_proto_shuttle))]
mod real {
    #[cfg(feature = "std")]
    pub(crate) use core::sync::atomic::AtomicU64;
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    #[cfg(feature = "std")]
    pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
    #[cfg(feature = "std")]
    pub(crate) use std::thread_local;
}

#[cfg(sse_proto_shuttle)]
mod real {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use shuttle::thread_local;
    pub(crate) use std::sync::PoisonError;
}

pub(crate) use real::*;
