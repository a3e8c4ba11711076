//! The headers of a response.

/// The headers of a response that carries an event stream, for any version of HTTP.
///
/// - `content-type: text/event-stream`: clients accept no other type.
/// - `cache-control: no-cache, no-transform`: no cache answers for the server, and no proxy
///   compresses the stream, which would hold events back.
/// - `x-accel-buffering: no`: nginx and the proxies that follow it pass each event on at once.
///
/// There is no `connection` header. A server adds what its connection needs: HTTP/1.1 keeps
/// connections alive without one, HTTP/2 forbids it ([RFC 9113, section
/// 8.2.2](https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2)), and in HTTP/1.0 the stream ends
/// with the connection.
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
