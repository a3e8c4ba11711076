//! As much of HTTP/1.1 as it takes to serve without a framework: one request a connection. A server
//! that faces the internet wants more, such as a time within which the head must have come.

use std::fmt::Write;
use std::io;

use sse_proto::bytes::Bytes;
use sse_proto::http::{HeaderName, HeaderValue, Request, Response, Version, header};
use sse_proto::http_body::Frame;

use crate::answer::ECHO_LIMIT;

/// The bytes that a head may have.
const HEAD_LIMIT: usize = 16 * 1024;

/// What follows the last chunk.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What a client has sent so far.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
}

impl Input {
    /// Takes what came, and returns the request once it is whole.
    ///
    /// # Errors
    ///
    /// When it is none, when it is too large, and at the end, which is no byte: close the connection.
    pub fn feed(&mut self, bytes: &[u8]) -> io::Result<Option<Request<Bytes>>> {
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes.extend_from_slice(bytes);
        read(&self.bytes).map_err(io::Error::other)
    }
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

/// Writes a frame as a chunk. In one buffer, so that it is one write: that is what an event costs.
pub fn chunk(frame: Frame<Bytes>) -> Vec<u8> {
    let data = frame.into_data().unwrap_or_default();
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(&data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn read(input: &[u8]) -> Result<Option<Request<Bytes>>, &'static str> {
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
