//! A reconnecting client, as WHATWG HTML [9.2.2] to [9.2.4] define `EventSource`, without I/O.
//!
//! [`EventSource`] decides what is sent when, what a response means, and when to wait, to come back and to give up; a
//! driver over an HTTP client is a short loop around it. [`Options`] has what goes beyond the standard. The guide's page on
//! [receiving](crate::guide::receive) tells when it is the right tool, how to resume
//! behind a restart, and what becomes of a POST.
//!
//! # The loop
//!
//! ```
//! use std::time::{Duration, Instant};
//! use sse_proto::client::{ClosedReason, Options, Output, Response};
//! use sse_proto::EventSource;
//! # use std::collections::VecDeque;
//! # // Stands for a blocking HTTP client: each connection is a status, a type, and what can be read.
//! # struct Http(VecDeque<(u16, &'static str)>);
//! # impl Http {
//! #     fn get<'a>(
//! #         &mut self, _: &str, _: impl Iterator<Item = (&'static str, &'a str)>, _: bool,
//! #     ) -> Result<(Response, &'static [u8]), ()> {
//! #         let (status, body) = self.0.pop_front().ok_or(())?;
//! #         let response = Response::from_headers(status, |name| {
//! #             (name == "content-type").then_some(b"text/event-stream".as_slice())
//! #         });
//! #         Ok((response, body.as_bytes()))
//! #     }
//! # }
//! # use std::io::Read;
//! # let mut http = Http(VecDeque::from([(200, "id: 1\ndata: a\n\n"), (200, "data: b\n\n"), (204, "")]));
//! # let sleep = |_: Duration| {};
//! # let mut seen = Vec::new();
//!
//! let started = Instant::now();
//! # let options = Options::standard().with_delay_bounds(Duration::ZERO, Duration::ZERO);
//! # let _ =
//! Options::resilient();
//! let seed = 4; // In earnest a random number.
//! let mut source = EventSource::new("http://127.0.0.1:8000/events", options, seed);
//! let mut body = None;
//! let mut buffer = [0; 4096];
//! source.start(started.elapsed());
//! let closed = loop {
//!     // First, what it asks for and tells.
//!     if let Some(output) = source.poll_output() {
//!         match output {
//!             // With the client's own redirects turned off, and credentials only where they may go.
//!             Output::Request(request) => {
//!                 match http.get(request.url(), request.headers(), request.may_have_credentials()) {
//!                     Ok((response, stream)) => {
//!                         body = Some(stream);
//!                         source.handle_response(started.elapsed(), response);
//!                     }
//!                     Err(_) => source.handle_error(started.elapsed()),
//!                 }
//!             }
//!             Output::Abort => body = None,
//!             Output::Opened => println!("up"),
//!             Output::Down(down) => println!("down: {}, again in {:?}", down.reason, down.retry_in),
//!             Output::Closed(closed) => break closed,
//!             _ => {}
//!         }
//!         continue;
//!     }
//!     // Then whatever comes first: bytes, or the deadline. An async driver selects.
//!     if let Some(open) = &mut body {
//!         match open.read(&mut buffer) {
//!             Ok(0) => {
//!                 body = None;
//!                 source.handle_end(started.elapsed());
//!             }
//!             Ok(len) => {
//!                 let mut input = &buffer[..len];
//!                 while let Some(item) = source.handle_bytes(started.elapsed(), &mut input) {
//!                     println!("{item:?}");
//! #                     if let Some(event) = item.unwrap().event() { seen.push(event.data().into_owned()); }
//!                 }
//!             }
//!             Err(_) => {
//!                 body = None;
//!                 source.handle_error(started.elapsed());
//!             }
//!         }
//!     } else if let Some(deadline) = source.next_deadline() {
//!         sleep(deadline.saturating_sub(started.elapsed()));
//!         source.handle_deadline(started.elapsed());
//!     }
//! };
//! # assert_eq!(seen, ["a", "b"]);
//! assert!(matches!(closed.reason, ClosedReason::Rejected(rejected) if rejected.status() == 204));
//! ```
//!
//! A timeout needs a read that returns at the deadline: in a blocking driver a socket with a read timeout, whose passing is
//! no error but a reason to look at [`next_deadline`](EventSource::next_deadline).
//!
//! The loop sends a GET, as [`EventSource::new`] is for one. For anything else, make the client with
//! [`EventSource::for_method`] and send [`Request::method`]: what is not idempotent is then not sent twice unasked.
//!
//! On an async runtime, [`EventSourceStream`] is the loop, over a function that opens a connection and a timer.
//!
//! # States
//!
//! | input | idle | connecting | open | waiting | closed |
//! |---|---|---|---|---|---|
//! | start | connecting: request | | | | |
//! | response of an event stream | | open: opened | | | |
//! | redirect | | connecting: abort, request | | | |
//! | response that is retried | | waiting: abort, down | | | |
//! | any other response | | closed: abort, closed | | | |
//! | bytes | | | items | | |
//! | end of the body | | as an I/O error | waiting: down | | |
//! | I/O error | | waiting: down | waiting: down | | |
//! | deadline | | waiting: abort, down | waiting: abort, down | connecting: request | |
//! | network lost | waits for it at the start | waiting: abort, down | waiting: abort, down | waits for it | |
//! | network back | | | | connecting once the delay is over: request | |
//! | reconnect now | | | connecting: abort, down, request | connecting: request | |
//! | close | closed | closed: abort | closed: abort | closed | |
//!
//! Where it says down, limits of retries and of time, and a request that must not be repeated, say closed. Behind the limit
//! of time a wait and a redirect lead to closed, too.
//!
//! # Redirects and credentials
//!
//! Turn the HTTP client's own redirects off. The machine follows them: a response with a `Location` is answered with a
//! [`Request`] for the next URL, and [`Request::may_have_credentials`] is false from the first other origin (scheme, host or
//! port) on. A driver that adds its credentials only where it is true cannot leak them. Each connection begins at the first
//! URL, also after a permanent redirect, as in browsers.
//!
//! A client that follows redirects by itself decides by itself what it sends where; tell the final URL with
//! [`Response::with_url`].
//!
//! [9.2.2]: https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface
//! [9.2.4]: https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header

mod event_source;
mod life;
mod loss;
mod options;
mod output;
mod reason;
mod reconnect;
mod redirect;
mod request;
mod response;
mod state;
mod stream;
mod url;

pub use event_source::EventSource;
pub use options::{Options, Repeat};
pub use output::{Closed, Down, Output};
pub use reason::{ClosedReason, DownReason, Rejected};
pub use request::{Request, UnsendableId};
pub use response::Response;
pub use state::State;
pub use stream::{EventSourceStream, Update};
