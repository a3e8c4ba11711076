//! A scripted server, the drivers, and the cases that run a driver against the server.

mod case;
mod driver;
mod server;

use std::time::Duration;

pub(crate) use case::{Case, LONGEST, OPTIONS, SHORTEST};
pub(crate) use driver::{DRIVERS, Driver};
pub(crate) use server::{Answer, Step, event_stream, in_chunks, redirect, status};

/// The longest that a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(30);
