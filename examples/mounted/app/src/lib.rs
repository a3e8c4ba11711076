//! What the examples serve, and nothing of what they serve it with: each of them mounts this on
//! another kind of server, so that it shows that server and nothing else. `../README.md` says what stands in its
//! place in a service of one's own.
//!
//! | request | answer |
//! |---|---|
//! | `GET /events` | the event stream: a comment at once, `tick`s with ids, the `echo`es; resumed behind `Last-Event-ID`, with a `reset` event where that is not possible |
//! | `POST /echo` | publishes the body to all as an event of the type `echo`: 204; 400 if it is not UTF-8, 413 if it is too large |
//! | `GET /stats` | what is open, and why the last streams ended, as JSON |
//!
//! A server takes three arguments, each of which may be left out: the address (`127.0.0.1:8000`; port 0
//! is any), the milliseconds between two ticks (1000; 0 is never) and the seconds between two comments
//! that keep a silent stream alive (15). It says on its standard output where it listens, and ends when its
//! standard input does: whoever started it is gone then.

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
