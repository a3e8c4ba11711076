//! The lock and the atomics below what handles and stream share between threads. (That a listener was
//! removed is an atomic of its own in `listeners.rs`, which nothing else hangs on.)
//!
//! Named in one place, so that the model checker in `tests/model_check`, which builds these sources
//! with a `cfg` of its own, can put its own there: it tries the orders in which threads may run.

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
