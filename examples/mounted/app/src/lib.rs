//! The service of the examples. Each example mounts it on another kind of server, and contains only
//! what that server needs. `../README.md` says what to put in its place in your own service.
//!
//! | request | answer |
//! |---|---|
//! | `GET /events` | the event stream: a comment at once, `tick`s with ids, the `echo`es; resumed after `Last-Event-ID`, with a `reset` event where that is not possible |
//! | `POST /echo` | publishes the body to all as an event of the type `echo`: 204; 400 if it is not UTF-8, 413 if it is too large |
//! | `GET /stats` | what is open, and why the last streams ended, as JSON |
//!
//! A server takes three optional arguments: the address (`127.0.0.1:8000`; port 0 is any free port),
//! the milliseconds between two ticks (1000; 0 turns them off) and the seconds between two
//! keep-alive comments (15). It prints its address, and ends at Ctrl-C and at SIGTERM: all streams
//! get a farewell first.

mod answer;
mod ends;
mod events;
pub mod http1;
mod run;
mod ticks;
mod wait;

pub use answer::{ECHO_LIMIT, text};
pub use ends::End;
pub use events::Events;
pub use run::App;
pub use ticks::{TICK, data};
pub use wait::wait;
