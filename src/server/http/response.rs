//! Whole responses: an event stream, or why there is none.

use alloc::string::ToString;

use ::http::{HeaderValue, Response, Version, header};
use bytes::Bytes;
use futures_core::stream::Stream;

use super::body::Body;
use super::headers::insert_headers;
use super::request::RequestError;

/// Makes the response that carries an event stream: status 200, the headers of
/// [`insert_headers`], the stream as [`Body`].
///
/// `version` is that of the request; it decides about the `connection` header and nothing else.
///
/// # Examples
///
/// A handler, as it stands in any server that builds on the crate `http`:
///
/// ```
/// use sse_proto::deps::http::{Request, Response};
/// use sse_proto::http::{Body, read_request, response};
/// use sse_proto::{EventStream, Target, channel};
///
/// fn events<B>(request: &Request<B>) -> Response<Body<EventStream>> {
///     match read_request(request.headers()) {
///         Ok(last_event_id) => {
///             let (target, stream) = channel();
///             # let _ = last_event_id;
///             // Give the target to whoever has events, and tell where to resume.
///             # drop(target);
///             response(request.version(), stream)
///         }
///         Err(error) => error.into_response(),
///     }
/// }
///
/// let request = Request::get("/events").body(())?;
/// assert_eq!(events(&request).headers()["content-type"], "text/event-stream");
///
/// let request = Request::get("/events").header("accept", "image/png").body(())?;
/// assert_eq!(events(&request).status(), 406);
/// # Ok::<(), sse_proto::deps::http::Error>(())
/// ```
pub fn response<S: Stream<Item = Bytes>>(version: Version, stream: S) -> Response<Body<S>> {
    let mut response = Response::new(Body::new(stream));
    insert_headers(response.headers_mut(), version);
    response
}

impl RequestError {
    /// Makes the response that says so: its [`status`](Self::status), and its text as
    /// `text/plain`. The text has nothing of what the client sent.
    ///
    /// The body is of the type of an event stream's, so that one handler can return both.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sse_proto::http::RequestError;
    /// # use sse_proto::EventStream;
    /// let response = RequestError::NotAcceptable.into_response::<EventStream>();
    /// assert_eq!(response.status(), 406);
    /// assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    /// ```
    pub fn into_response<S>(self) -> Response<Body<S>> {
        let mut response = Response::new(Body::from(Bytes::from(self.to_string())));
        *response.status_mut() = self.status();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response
    }
}
