//! The parts of [`EventSource`](crate::EventSource): a reconnecting client without I/O, as WHATWG
//! HTML [9.2.2] to [9.2.4] define it.
//!
//! [`EventSource`](crate::EventSource) decides which request to send and when, what a response
//! means, and when to wait, to reconnect or to give up. A driver connects it to an HTTP client,
//! with a short loop. [`Options`] sets the behavior that goes beyond the standard. The guide's page
//! on [receiving](crate::guide::receive) explains when to use an `EventSource`, how to resume after
//! a restart, and how it treats a POST.
//!
//! # The loop
//!
//! ```
//! use std::time::{Duration, Instant};
//! use sse_proto::EventSource;
//! use sse_proto::client::{LossReason, Options, Output, Response};
//! # use std::collections::VecDeque;
//! # // Stands in for a blocking HTTP client: each connection is a status, a content type and the
//! # // bytes to read.
//! # struct Http(VecDeque<(u16, &'static str)>);
//! # impl Http {
//! #     fn get<'a>(
//! #         &mut self, _: &str, _: impl Iterator<Item = (&'static str, &'a str)>, _: bool,
//! #     ) -> Result<(Response, &'static [u8]), &'static str> {
//! #         let (status, body) = self.0.pop_front().ok_or("refused")?;
//! #         let response = Response::from_headers(status, [("content-type", "text/event-stream")]);
//! #         Ok((response, body.as_bytes()))
//! #     }
//! # }
//! # use std::io::Read;
//! # let mut http = Http(VecDeque::from([(200, "id: 1\ndata: a\n\n"), (200, "data: b\n\n"), (204, "")]));
//! # let sleep = |_: Duration| {};
//! # let mut seen = Vec::new();
//!
//! let started = Instant::now();
//! let options = Options::resilient();
//! # let options = options.with_delay_bounds(Duration::ZERO, Duration::ZERO);
//! let mut source = EventSource::new("http://127.0.0.1:8000/events", options);
//! let mut body = None;
//! let mut buffer = [0; 4096];
//! source.start(started.elapsed());
//! let closed = loop {
//!     // First, carry out all outputs.
//!     if let Some(output) = source.poll_output() {
//!         match output {
//!             // Turn the HTTP client's own redirects off, and send credentials only if they are
//!             // allowed.
//!             Output::Request(request) => {
//!                 match http.get(request.url(), request.headers(), request.may_have_credentials()) {
//!                     Ok((response, stream)) => {
//!                         body = Some(stream);
//!                         source.handle_response(started.elapsed(), response);
//!                     }
//!                     Err(error) => source.handle_error(started.elapsed(), error),
//!                 }
//!             }
//!             Output::Abort => body = None,
//!             Output::Opened => println!("up"),
//!             Output::Lost(loss) => println!("lost: {loss}, again in {:?}", loss.retry_in),
//!             Output::Closed(loss) => break loss,
//!             _ => {}
//!         }
//!         continue;
//!     }
//!     // Then wait for bytes or for the deadline. An async driver waits for both at once.
//!     if let Some(open) = &mut body {
//!         match open.read(&mut buffer) {
//!             Ok(0) => {
//!                 body = None;
//!                 source.handle_end(started.elapsed());
//!             }
//!             Ok(len) => {
//!                 let mut received = source.handle_bytes(started.elapsed(), &buffer[..len]);
//!                 while let Some(item) = received.next()? {
//!                     println!("{item:?}");
//! #                     if let Some(event) = item.into_event() { seen.push(event.data().into_owned()); }
//!                 }
//!             }
//!             Err(error) => {
//!                 body = None;
//!                 source.handle_error(started.elapsed(), error);
//!             }
//!         }
//!     } else if let Some(deadline) = source.next_deadline() {
//!         sleep(deadline.saturating_sub(started.elapsed()));
//!         source.handle_deadline(started.elapsed());
//!     }
//! };
//! # assert_eq!(seen, ["a", "b"]);
//! assert_eq!(closed.reason, LossReason::Rejected(204));
//! # Ok::<(), sse_proto::decode::DecodeError>(())
//! ```
//!
//! The loop above does not check the deadline of an open stream, because its reads block. To use a
//! timeout, a read must return at the deadline: in a blocking driver, set the socket's read
//! timeout. If a read times out, do not report an error, but check
//! [`next_deadline`](crate::EventSource::next_deadline).
//!
//! The loop sends a GET. For any other method, add
//! [`EventSource::with_method`](crate::EventSource::with_method) and send [`Request::method`]. The
//! client then repeats a request that is not idempotent only if you allow it; it can resume it with
//! a GET.
//!
//! On an async runtime, [`EventSourceStream`] runs the loop. It takes a timer and a function that
//! opens a connection.
//!
//! # States
//!
//! Each cell has the next state and the outputs.
//!
//! | input | idle | connecting | open | waiting | closed |
//! |---|---|---|---|---|---|
//! | start | connecting: request | | | | |
//! | response of an event stream | | open: opened | | | |
//! | redirect | | connecting: abort, request | | | |
//! | refused response that is retried | | waiting: abort, lost | | | |
//! | any other refused response | | closed: abort, closed | | | |
//! | bytes | | | items | | |
//! | end of the body | | as an I/O error | waiting: lost | | |
//! | I/O error | | waiting: lost | waiting: lost | | |
//! | deadline | | waiting: abort, lost | waiting: abort, lost | connecting: request | |
//! | network lost | waits for it at the start | waiting: abort, lost | waiting: abort, lost | waits for it | |
//! | network back | | | | connecting once the delay is over: request | |
//! | reconnect now | | | connecting: abort, lost, request | connecting: request | |
//! | close | closed: closed | closed: abort, closed | closed: abort, closed | closed: closed | |
//!
//! There is no "abort" if the driver has not taken the request yet.
//!
//! A transition with "lost" leads to "closed" instead if a limit of retries or of time is reached,
//! or if the request must not be repeated. After the limit of time, the end of a wait and a
//! redirect also lead to "closed", and so do bytes that exceed a limit that [ends the
//! stream](crate::decode::DecodeLimits::with_end_at_limit).
//!
//! # Redirects and credentials
//!
//! Turn the HTTP client's own redirects off. `EventSource` follows them: after a response with a
//! `Location`, it outputs a [`Request`] for the next URL. After the first redirect to another
//! origin (scheme, host or port), [`Request::may_have_credentials`] is false for the rest of that
//! connection. A driver that adds credentials only if this method returns true cannot leak them.
//! Each connection starts at the first URL, also after a permanent redirect, as in browsers.
//!
//! An HTTP client that follows redirects by itself also decides where it sends credentials. In that
//! case, report the final URL with [`Response::with_url`].
//!
//! [9.2.2]: https://html.spec.whatwg.org/multipage/server-sent-events.html#the-eventsource-interface
//! [9.2.4]: https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header

mod backoff;
mod date;
pub(crate) mod event_source;
#[cfg(feature = "std")]
mod handle;
mod machine;
mod media_type;
mod options;
mod output;
mod request;
mod response;
mod route;
mod state;
mod stream;

pub use event_source::Received;
#[cfg(feature = "std")]
pub use handle::Handle;
pub use options::Options;
pub use output::{Loss, LossReason, Output};
pub use request::Request;
pub use response::Response;
pub use stream::{Connect, EventSourceStream, Update};
