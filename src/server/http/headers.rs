//! The headers of a response.

#[cfg(feature = "http")]
use ::http::{HeaderMap, HeaderValue};

/// The headers of a response that carries an event stream, for any version of HTTP.
///
/// - `content-type: text/event-stream`: clients accept no other type.
/// - `cache-control: no-cache, no-transform`: no cache answers for the server, and no proxy
///   compresses the stream, which would hold events back.
/// - `x-accel-buffering: no`: nginx and the proxies that follow it pass each event on at once.
///
/// There is no `connection` header: HTTP/1.1 keeps a connection open without it, and HTTP/2 forbids
/// it.
///
/// # Examples
///
/// ```
/// assert!(sse_proto::http::HEADERS.contains(&("content-type", "text/event-stream")));
/// ```
pub const HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    ("x-accel-buffering", "no"),
];

/// Inserts [`HEADERS`], and replaces existing values for these names.
/// [`response`](crate::http::response) calls this function.
///
/// # Examples
///
/// ```
/// use sse_proto::deps::http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// sse_proto::http::insert_headers(&mut headers);
/// assert_eq!(headers["content-type"], "text/event-stream");
/// ```
#[cfg(feature = "http")]
pub fn insert_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
