//! The example and the browser as processes, and what the page shows.

mod browser;
mod process;
mod proxy;
mod seen;
mod server;
mod tail;

use std::time::Duration;

pub(crate) use browser::{Browser, Scheme};
pub(crate) use proxy::Proxy;
pub(crate) use seen::{Event, Row, Seen};
pub(crate) use server::Server;
pub(crate) use tail::Tail;

/// Nothing is expected to take this long: a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_mins(1);
