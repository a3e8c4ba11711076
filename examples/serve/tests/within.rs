//! The tests within the example. Cargo builds an example with `test = true` for these alone, and then the others could not
//! start it.

#[path = "../log.rs"]
mod log;
#[path = "../publisher.rs"]
#[expect(dead_code, reason = "a part of the example")]
mod publisher;
#[path = "../watch.rs"]
mod watch;
