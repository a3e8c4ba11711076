//! As much of HTTP/1.1 as it takes to serve without a framework: one request a connection. A server
//! that faces the internet wants more, such as a time within which the head must have come.

use std::fmt::Write;

use sse_proto::bytes::Bytes;
use sse_proto::http::{HeaderName, HeaderValue, Request, Response, Version, header};

use crate::answer::ECHO_LIMIT;

/// The bytes that a head may have.
const HEAD_LIMIT: usize = 16 * 1024;

/// What follows the last chunk.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Reads a request from all that came so far: `Ok(None)` if that is not all of it.
///
/// # Errors
///
/// When it is none, or too large: close the connection.
pub fn read(input: &[u8]) -> Result<Option<Request<Bytes>>, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head.parse(input).map_err(|_| "not a request")?;
    let httparse::Status::Complete(head_len) = parsed else {
        return if input.len() < HEAD_LIMIT {
            Ok(None)
        } else {
            Err("the head is too large")
        };
    };
    let mut request = Request::builder()
        .method(head.method.unwrap_or_default())
        .uri(head.path.unwrap_or_default());
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        if let (Ok(name), Ok(value)) = (name, value) {
            request = request.header(name, value);
        }
    }
    if head.version == Some(0) {
        request = request.version(Version::HTTP_10);
    }
    let length = request.headers_ref().and_then(|headers| {
        let value = headers.get(header::CONTENT_LENGTH)?;
        value.to_str().ok()?.parse().ok()
    });
    let body = &input[head_len..];
    // One byte more than an echo may have is enough to see that it is too large.
    let wanted = length.unwrap_or(0).min(ECHO_LIMIT + 1);
    if body.len() < wanted {
        return Ok(None);
    }
    let body = Bytes::copy_from_slice(&body[..wanted]);
    request.body(body).map(Some).map_err(|_| "not a request")
}

/// Writes the head of a response whose body comes in chunks; the connection ends with it.
pub fn head<B>(response: &Response<B>) -> Vec<u8> {
    let mut head = String::new();
    // Into a string it does not fail.
    let _ = write!(head, "HTTP/1.1 {}\r\n", response.status());
    for (name, value) in response.headers() {
        // All of them are this program's own, and ASCII.
        if let (Ok(value), true) = (value.to_str(), name != header::CONNECTION) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    head.push_str("transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    head.into_bytes()
}

/// Writes a chunk. One buffer and so one write: what an event costs is mostly that.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}
