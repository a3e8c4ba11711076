//! A raw client of HTTP/1.1: each connection is for one request.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    head: Vec<u8>,
    body: Vec<u8>,
}

/// An answer that has come whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Makes a request without a body.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        Self {
            head: head.into(),
            body: Vec::new(),
        }
    }

    pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
            body.len()
        );
        Self {
            head: head.into(),
            body,
        }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &[u8]) -> Self {
        self.head.extend_from_slice(name.as_bytes());
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value);
        self.head.extend_from_slice(b"\r\n");
        self
    }

    /// Sends it, and waits for the whole answer.
    pub(crate) fn send(self, address: SocketAddr) -> Answer {
        let mut response = self
            .with_header("connection", b"close")
            .open(address)
            .expect("a response");
        let mut body = Vec::new();
        while !response.body.is_whole {
            let more = response.read().expect("the rest of the response");
            assert!(
                !more.is_empty() || response.body.is_whole,
                "a response is cut"
            );
            body.extend_from_slice(&more);
        }
        Answer {
            status: response.status,
            body: String::from_utf8(body).expect("a text"),
        }
    }

    /// Sends it, and waits for the head of the response.
    pub(crate) fn open(self, address: SocketAddr) -> io::Result<Response> {
        self.open_over(TcpStream::connect(address)?)
    }

    /// Sends it over a connection, and waits for the head of the response.
    pub(crate) fn open_over(mut self, mut socket: TcpStream) -> io::Result<Response> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        self.head.extend_from_slice(b"\r\n");
        self.head.append(&mut self.body);
        socket.write_all(&self.head)?;
        let mut input = Vec::new();
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&input).map_err(io::Error::other)?;
            if let httparse::Status::Complete(len) = parsed {
                let headers: Vec<_> = head.headers.iter().map(owned).collect();
                let mut body = Body::new(&headers);
                let status = head.code.unwrap_or_default();
                input.drain(..len);
                body.pending = input;
                return Ok(Response {
                    status,
                    headers,
                    body,
                    socket,
                });
            }
            let mut buffer = [0; 1024];
            let read = socket.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            input.extend_from_slice(&buffer[..read]);
        }
    }
}

fn owned(header: &httparse::Header<'_>) -> (String, String) {
    let value = String::from_utf8_lossy(header.value).into_owned();
    (header.name.to_ascii_lowercase(), value)
}

/// A response whose body is read as it comes.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    pub(crate) socket: TcpStream,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.0 == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the bytes that came with the head.
    pub(crate) fn received(&self) -> &[u8] {
        &self.body.pending
    }

    /// Whether all of the body has come, as the framing tells.
    pub(crate) fn is_whole(&self) -> bool {
        self.body.is_whole
    }

    /// Returns what comes next; nothing is the end.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let bytes = self.body.take()?;
            if !bytes.is_empty() || self.body.is_whole {
                return Ok(bytes);
            }
            let mut buffer = [0; 16 << 10];
            let read = self.socket.read(&mut buffer)?;
            self.body.pending.extend_from_slice(&buffer[..read]);
            if read == 0 {
                self.body.is_whole = matches!(self.body.framing, Framing::ToTheEnd);
                return Ok(Vec::new());
            }
        }
    }
}

/// Takes the framing from a body.
#[derive(Debug)]
struct Body {
    framing: Framing,
    pending: Vec<u8>,
    is_whole: bool,
}

#[derive(Debug)]
enum Framing {
    /// So many bytes are left of a chunk.
    Chunked(usize),
    /// So many are left at all.
    Length(usize),
    ToTheEnd,
}

impl Body {
    fn new(headers: &[(String, String)]) -> Self {
        let header = |name| headers.iter().find(|header| header.0 == name);
        let length = header("content-length").map(|header| header.1.parse().expect("a number"));
        let framing = match length {
            Some(length) => Framing::Length(length),
            None if header("transfer-encoding").is_some() => Framing::Chunked(0),
            None => Framing::ToTheEnd,
        };
        Self {
            is_whole: matches!(framing, Framing::Length(0)),
            framing,
            pending: Vec::new(),
        }
    }

    /// Takes what of the pending bytes is the body's.
    fn take(&mut self) -> io::Result<Vec<u8>> {
        match &mut self.framing {
            Framing::ToTheEnd => Ok(std::mem::take(&mut self.pending)),
            Framing::Length(left) => {
                let len = self.pending.len().min(*left);
                *left -= len;
                self.is_whole = *left == 0;
                Ok(self.pending.drain(..len).collect())
            }
            Framing::Chunked(left) => {
                let mut bytes = Vec::new();
                while !self.is_whole {
                    if *left == 0 {
                        let parsed = httparse::parse_chunk_size(&self.pending);
                        match parsed.map_err(|_| io::Error::other("no chunk"))? {
                            // With the break behind it.
                            httparse::Status::Complete((_, 0)) => self.is_whole = true,
                            httparse::Status::Complete((start, len)) => {
                                self.pending.drain(..start);
                                *left = usize::try_from(len).expect("a length") + 2;
                            }
                            httparse::Status::Partial => break,
                        }
                    } else {
                        let len = self.pending.len().min(*left);
                        if len == 0 {
                            break;
                        }
                        let data = len.min(left.saturating_sub(2));
                        bytes.extend_from_slice(&self.pending[..data]);
                        self.pending.drain(..len);
                        *left -= len;
                    }
                }
                Ok(bytes)
            }
        }
    }
}
