//! A minimal HTTP/1.1 server without a framework: one request per connection. A server that faces
//! the internet needs more, such as a timeout for the head of the request.

use std::fmt::Write;
use std::io;

use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::http::{HeaderName, HeaderValue, Method, Request, Response, Version, header};
use sse_proto::deps::http_body::Frame;

use crate::answer::ECHO_LIMIT;

/// The maximum size of a head in bytes.
const HEAD_LIMIT: usize = 16 * 1024;

/// A connection: the bytes received so far, and how the answer is framed.
#[derive(Debug, Default)]
pub struct Connection {
    input: Vec<u8>,
    framing: Framing,
}

/// How the body of an answer is sent.
#[derive(Clone, Copy, Debug, Default)]
enum Framing {
    #[default]
    Chunked,
    /// As plain bytes until the connection ends: a client before HTTP/1.1 can't read chunks.
    ToTheEnd,
    /// Not at all: the answer to HEAD is a head.
    Nothing,
}

impl Connection {
    /// Takes received bytes, and returns the request once it is complete.
    ///
    /// # Errors
    ///
    /// If the bytes are not a request, are too large, or are empty because the connection ended. Close
    /// the connection.
    pub fn feed(&mut self, bytes: &[u8]) -> io::Result<Option<Request<Bytes>>> {
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.input.extend_from_slice(bytes);
        let request = read(&self.input).map_err(io::Error::other)?;
        self.framing = match &request {
            Some(request) if request.method() == Method::HEAD => Framing::Nothing,
            Some(request) if request.version() == Version::HTTP_10 => Framing::ToTheEnd,
            _ => Framing::Chunked,
        };
        Ok(request)
    }

    /// Writes the head of a response; the connection ends with its body.
    pub fn head<B>(&self, response: &Response<B>) -> Vec<u8> {
        let mut head = String::new();
        // Writing to a string cannot fail.
        let _ = write!(head, "HTTP/1.1 {}\r\n", response.status());
        for (name, value) in response.headers() {
            // All values are set by this program, and are ASCII.
            if let (Ok(value), true) = (value.to_str(), name != header::CONNECTION) {
                let _ = write!(head, "{name}: {value}\r\n");
            }
        }
        if let Framing::Chunked = self.framing {
            head.push_str("transfer-encoding: chunked\r\n");
        }
        head.push_str("connection: close\r\n\r\n");
        head.into_bytes()
    }

    /// Writes a frame into one buffer, so that an event costs one write.
    pub fn chunk(&self, frame: Frame<Bytes>) -> Vec<u8> {
        let data = frame.into_data().unwrap_or_default();
        match self.framing {
            Framing::Nothing => return Vec::new(),
            Framing::ToTheEnd => return data.into(),
            Framing::Chunked => {}
        }
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend_from_slice(&data);
        chunk.extend_from_slice(b"\r\n");
        chunk
    }

    /// Returns the bytes that follow the last frame.
    pub fn end(&self) -> &'static [u8] {
        match self.framing {
            Framing::Chunked => b"0\r\n\r\n",
            Framing::ToTheEnd | Framing::Nothing => b"",
        }
    }
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
    let length = length(head.headers)?;
    let body = &input[head_len..];
    // One byte more than an echo may have is enough to see that it is too large.
    let wanted = length.min(ECHO_LIMIT + 1);
    if body.len() < wanted {
        return Ok(None);
    }
    let body = Bytes::copy_from_slice(&body[..wanted]);
    request.body(body).map(Some).map_err(|_| "not a request")
}

/// Returns the length of the body. A request whose length is unclear is refused, because a part of
/// its body could be published as the whole.
fn length(headers: &[httparse::Header<'_>]) -> Result<usize, &'static str> {
    let mut length = None;
    for field in headers {
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("a body in chunks is more than this server reads");
        }
        if field.name.eq_ignore_ascii_case("content-length") {
            let is_number = !field.value.is_empty() && field.value.iter().all(u8::is_ascii_digit);
            if !is_number || length.is_some() {
                return Err("not a length");
            }
            // A number that is too large for the machine is too large for an echo as well.
            let text = std::str::from_utf8(field.value).ok();
            length = text.and_then(|text| text.parse().ok()).or(Some(usize::MAX));
        }
    }
    Ok(length.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io;

    use sse_proto::deps::bytes::Bytes;
    use sse_proto::deps::http::{Request, Response};
    use sse_proto::deps::http_body::Frame;

    use super::{Connection, ECHO_LIMIT, HEAD_LIMIT};

    fn feed(input: &str) -> io::Result<Option<Request<Bytes>>> {
        Connection::default().feed(input.as_bytes())
    }

    fn echo(headers: &str, body: &str) -> io::Result<Option<Request<Bytes>>> {
        feed(&format!("POST /echo HTTP/1.1\r\n{headers}\r\n{body}"))
    }

    #[test]
    fn a_body_is_as_long_as_it_says_and_what_follows_is_not_its() {
        let request = echo("content-length: 2\r\n", "hi, and more");
        assert_eq!(request.unwrap().unwrap().body(), "hi");
        assert!(echo("Content-Length: 3\r\n", "hi").unwrap().is_none());
        let request = echo("", "no length, no body");
        assert!(request.unwrap().unwrap().body().is_empty());
    }

    #[test]
    fn a_body_whose_length_cannot_be_told_is_none() {
        for headers in [
            "content-length: many\r\n",
            "content-length: +2\r\n",
            "content-length: -1\r\n",
            "content-length: 2, 2\r\n",
            "content-length:\r\n",
            "content-length: 2\r\ncontent-length: 2\r\n",
            "transfer-encoding: chunked\r\n",
            "content-length: 2\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert!(echo(headers, "2\r\nhi\r\n0\r\n\r\n").is_err(), "{headers}");
        }
    }

    #[test]
    fn a_length_beyond_all_bounds_is_only_too_large() {
        for length in ["16385", "18446744073709551616", &"9".repeat(999)] {
            let headers = format!("content-length: {length}\r\n");
            assert!(echo(&headers, "").unwrap().is_none());
            let request = echo(&headers, &"a".repeat(2 * ECHO_LIMIT)).unwrap();
            assert_eq!(request.unwrap().body().len(), ECHO_LIMIT + 1);
        }
    }

    #[test]
    fn a_head_has_an_end() {
        let mut connection = Connection::default();
        assert!(connection.feed(b"GET / HTTP/1.1\r\nx: ").unwrap().is_none());
        let fed = (0..).take_while(|_| connection.feed(b"endless").is_ok());
        assert!(fed.count() < HEAD_LIMIT / 7);
    }

    #[test]
    fn only_who_speaks_http_1_1_gets_chunks_and_who_asks_for_the_head_gets_no_body() {
        for (method, version, head_end, chunk, end) in [
            (
                "GET",
                "1.1",
                "transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
                "4\r\ndata\r\n",
                "0\r\n\r\n",
            ),
            (
                "GET",
                "1.0",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
                "data",
                "",
            ),
            (
                "HEAD",
                "1.1",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
                "",
                "",
            ),
        ] {
            let mut connection = Connection::default();
            let request = format!("{method} /events HTTP/{version}\r\n\r\n");
            assert!(connection.feed(request.as_bytes()).unwrap().is_some());
            let head = connection.head(&Response::new(()));
            assert!(head.ends_with(head_end.as_bytes()), "{version}");
            let frame = Frame::data(Bytes::from_static(b"data"));
            assert_eq!(connection.chunk(frame), chunk.as_bytes());
            assert_eq!(connection.end(), end.as_bytes());
        }
    }
}
