//! The unit tests of the example. They are built here because Cargo would build an example with
//! `test = true` only as a test, and the other tests could not start it.

#[path = "../host.rs"]
mod host;
#[path = "../log.rs"]
mod log;
#[path = "../publisher.rs"]
#[expect(dead_code, reason = "a part of the example")]
mod publisher;
#[path = "../watch.rs"]
mod watch;
