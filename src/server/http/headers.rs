//! The headers of a response: the policy as plain data, and as a header map.

#[cfg(feature = "http")]
use ::http::{HeaderMap, HeaderName, HeaderValue, Version};

/// The headers of a response that carries an event stream, for any version of HTTP.
///
/// - `content-type: text/event-stream`: what a client asks for and insists on.
/// - `cache-control: no-cache, no-transform`: each connection gets a stream of its own, and nothing
///   on the way compresses it, which would hold events back.
/// - `x-accel-buffering: no`: nginx and those that learned from it pass each event on at once.
///
/// # Examples
///
/// ```
/// assert!(sse_proto::http::HEADERS.contains(&("content-type", "text/event-stream")));
/// ```
pub const HEADERS: [(&str, &str); 3] = [CONTENT_TYPE, CACHE_CONTROL, BUFFERING];

/// The same for HTTP/1 alone: HTTP/2 forbids the `connection` header.
pub const HEADERS_HTTP1: [(&str, &str); 4] = [
    CONTENT_TYPE,
    CACHE_CONTROL,
    BUFFERING,
    ("connection", "keep-alive"),
];

const CONTENT_TYPE: (&str, &str) = ("content-type", "text/event-stream");
const CACHE_CONTROL: (&str, &str) = ("cache-control", "no-cache, no-transform");
const BUFFERING: (&str, &str) = ("x-accel-buffering", "no");

/// Puts the headers of a response that carries an event stream into a map, for the version of HTTP
/// that the request came by: [`HEADERS_HTTP1`] under HTTP/1.1, [`HEADERS`] under all others.
///
/// HTTP/2 and HTTP/3 forbid what belongs to one connection, and under HTTP/1.0 the stream ends with
/// the connection, which is not to be kept alive then. What the map has under these names is
/// replaced; all else stays. [`response`](crate::http::response) does this for you.
///
/// # Examples
///
/// ```
/// use sse_proto::deps::http::{HeaderMap, Version};
///
/// let mut headers = HeaderMap::new();
/// sse_proto::http::insert_headers(&mut headers, Version::HTTP_2);
/// assert_eq!(headers["content-type"], "text/event-stream");
/// assert!(!headers.contains_key("connection"));
/// ```
#[cfg(feature = "http")]
pub fn insert_headers(headers: &mut HeaderMap, version: Version) {
    let policy: &[_] = if version == Version::HTTP_11 {
        &HEADERS_HTTP1
    } else {
        &HEADERS
    };
    for &(name, value) in policy {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
}
