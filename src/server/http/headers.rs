//! The headers of a response.

#[cfg(feature = "http")]
use ::http::{HeaderMap, HeaderValue, Version};

/// The headers of a response that carries an event stream, for any version of HTTP.
///
/// - `content-type: text/event-stream`: clients accept no other type.
/// - `cache-control: no-cache, no-transform`: no cache answers for the server, and no proxy
///   compresses the stream, which would hold events back.
/// - `x-accel-buffering: no`: nginx and the proxies that follow it pass each event on at once.
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

/// [`HEADERS`] and `connection: keep-alive`, for HTTP/1.1 alone: HTTP/2 forbids that header.
pub const HEADERS_HTTP1: [(&str, &str); 4] = [
    HEADERS[0],
    HEADERS[1],
    HEADERS[2],
    ("connection", "keep-alive"),
];

/// Inserts the headers of a response that carries an event stream: [`HEADERS_HTTP1`] for HTTP/1.1,
/// [`HEADERS`] for other versions.
///
/// `version` is the version of the request. HTTP/2 and HTTP/3 forbid connection headers. An
/// HTTP/1.0 response ends with its connection, so that connection is not kept alive. Existing
/// values for these names are replaced. [`response`](crate::http::response) calls this function.
///
/// # Examples
///
/// ```
/// use sse_proto::deps::http::{HeaderMap, Version};
///
/// let mut headers = HeaderMap::new();
/// sse_proto::http::insert_headers(Version::HTTP_2, &mut headers);
/// assert_eq!(headers["content-type"], "text/event-stream");
/// assert!(!headers.contains_key("connection"));
/// ```
#[cfg(feature = "http")]
pub fn insert_headers(version: Version, headers: &mut HeaderMap) {
    let policy = match version {
        Version::HTTP_11 => HEADERS_HTTP1.as_slice(),
        _ => HEADERS.as_slice(),
    };
    for &(name, value) in policy {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
