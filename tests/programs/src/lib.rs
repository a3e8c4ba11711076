//! Programs as processes of a test: the examples, built, and Chromium. Each is killed when it is dropped.

mod built;
mod chromium;
mod process;

use std::time::Duration;

pub use built::built;
pub use chromium::Chromium;
pub use process::Process;
pub use thirtyfour;

/// Nothing is expected to take this long: a test that waits for it has failed.
pub const PATIENCE: Duration = Duration::from_mins(1);
