//! The example and the browser as processes, and what the page shows.

mod browser;
mod proxy;
mod seen;
mod server;
mod tail;

use std::path::PathBuf;

use programs::built;

pub(crate) use browser::{Browser, Scheme};
pub(crate) use proxy::Proxy;
pub(crate) use seen::{Event, Row, Seen};
pub(crate) use server::Server;
pub(crate) use tail::Tail;

/// Builds an example and returns where it is.
fn example(name: &str) -> PathBuf {
    let programs = built(".", &["--package", name, "--example", name]);
    programs.into_iter().next().expect("one program")
}
