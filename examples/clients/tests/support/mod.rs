//! A scripted server, the drivers, and cases that hold the two together.

mod case;
mod driver;
mod server;

use std::time::Duration;

pub(crate) use case::{Case, LONGEST, OPTIONS, SHORTEST};
pub(crate) use driver::{DRIVERS, Driver};
pub(crate) use server::{Answer, Step, event_stream, in_chunks, redirect, status};

/// Nothing is expected to take this long: a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(30);
