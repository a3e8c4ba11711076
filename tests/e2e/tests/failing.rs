//! A stream that fails, on hyper: its client gets everything before the error, and an end that is not clean.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;

use futures_util::stream::{self, Stream};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_proto::deps::bytes::Bytes;
use sse_proto::http::response;
use sse_proto::{Event, EventStreamExt, channel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::PATIENCE;

/// The body of each response, and what a client has of it.
#[derive(Clone, Copy, Debug)]
enum Case {
    /// It fails before its first event.
    AtOnce,
    /// It fails when its events are ready, before any byte of them is written.
    AfterEvents(usize),
    /// The target fails.
    Target,
    /// It does not fail.
    Never,
}

const CASES: [Case; 5] = [
    Case::AtOnce,
    Case::AfterEvents(1),
    // All ready at once. Of a thousand, HTTP/2 would lose the last.
    Case::AfterEvents(100),
    Case::Target,
    Case::Never,
];

type Items = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, io::Error>> + Send>>;

impl Case {
    fn events(self) -> usize {
        match self {
            Self::AtOnce => 0,
            Self::AfterEvents(count) => count,
            Self::Target | Self::Never => 1,
        }
    }

    fn expected(self) -> String {
        "data: an event\n\n".repeat(self.events())
    }

    fn stream(self) -> Items {
        use futures_util::StreamExt;
        let event = || Event::message("an event");
        if let Self::Target = self {
            let (target, stream) = channel();
            target.dispatch(&event()).expect("it is open");
            target.fail("it broke");
            return Box::pin(stream.or_error().map(|item| item.map_err(io::Error::other)));
        }
        let events = (0..self.events()).map(move |_| Ok(event()));
        let error = (!matches!(self, Self::Never)).then(|| Err(io::Error::other("it broke")));
        let events = stream::iter(events.chain(error));
        Box::pin(sse_proto::adapt::from_stream(events))
    }
}

/// Serves one connection, and returns its address.
async fn serve(case: Case, is_http2: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client");
        let io = TokioIo::new(socket);
        let service = service_fn(move |_| ready(Ok::<_, Infallible>(response(case.stream()))));
        // Fails with the body.
        let _ = if is_http2 {
            let http2 = http2::Builder::new(TokioExecutor::new());
            http2.serve_connection(io, service).await
        } else {
            http1::Builder::new().serve_connection(io, service).await
        };
    });
    address
}

#[tokio::test]
async fn over_http1_all_that_was_before_the_error_comes_and_no_last_chunk() {
    for case in CASES {
        let address = serve(case, false).await;
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n";
        socket.write_all(request).await.expect("it is sent");
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let read = timeout(PATIENCE, socket.read(&mut chunk))
                .await
                .expect("more");
            let len = read.expect("the connection is closed, not reset");
            bytes.extend_from_slice(&chunk[..len]);
            // The connection of a clean end stays open.
            if len == 0 || bytes.ends_with(b"\r\n0\r\n\r\n") {
                break;
            }
        }
        let text = String::from_utf8(bytes).expect("UTF-8");
        let (head, chunks) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{case:?}: {head}");
        let is_clean = chunks.ends_with("0\r\n\r\n");
        assert_eq!(is_clean, matches!(case, Case::Never), "{case:?}");
        assert_eq!(chunked(chunks), case.expected(), "{case:?}");
    }
}

/// The data of chunks (RFC 9112, section 7.1).
fn chunked(mut rest: &str) -> String {
    let mut data = String::new();
    while let Some((len, after)) = rest.split_once("\r\n") {
        let len = usize::from_str_radix(len, 16).expect("a length");
        data.push_str(&after[..len]);
        rest = after[len..].strip_prefix("\r\n").expect("its end");
    }
    data
}

#[tokio::test]
async fn over_http2_all_that_was_before_the_error_comes_and_a_reset() {
    for case in CASES {
        let address = serve(case, true).await;
        let socket = TcpStream::connect(address).await.expect("a connection");
        let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        tokio::spawn(connection);
        let mut client = client.ready().await.expect("a stream");
        let request = http::Request::get(format!("http://{address}/events"));
        let request = request.body(()).expect("a request");
        let (head, _) = client.send_request(request, true).expect("a stream");
        let head = timeout(PATIENCE, head).await.expect("a head");
        let head = head.unwrap_or_else(|error| panic!("{case:?}: {error}"));
        assert_eq!(head.status(), 200);
        let mut body = head.into_body();
        let mut data = Vec::new();
        let end = loop {
            match timeout(PATIENCE, body.data()).await.expect("more") {
                Some(Ok(bytes)) => {
                    let released = body.flow_control().release_capacity(bytes.len());
                    released.expect("what was received");
                    data.extend_from_slice(&bytes);
                }
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        let data = String::from_utf8(data).expect("UTF-8");
        assert_eq!(data, case.expected(), "{case:?}");
        let is_reset = end.is_some_and(|error| error.is_reset());
        assert_eq!(is_reset, !matches!(case, Case::Never), "{case:?}");
    }
}
