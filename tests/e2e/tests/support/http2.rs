//! A raw client of HTTP/2, which begins with it: browsers would want TLS.

use std::net::SocketAddr;

use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use sse_proto::deps::bytes::Bytes;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::PATIENCE;

/// An event stream over HTTP/2.
#[derive(Debug)]
pub(crate) struct EventStream2 {
    pub(crate) headers: HeaderMap,
    body: RecvStream,
    /// For more streams; without it the connection would end with this one.
    client: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
    /// All bytes of the body.
    pub(crate) bytes: Vec<u8>,
}

impl EventStream2 {
    /// Opens the stream of a server, and waits for the head.
    pub(crate) async fn open(address: SocketAddr, last_event_id: Option<&str>) -> Self {
        let socket = TcpStream::connect(address).await.expect("a connection");
        let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let mut client = client.ready().await.expect("a stream");
        let mut request = Request::get(format!("http://{address}/events"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(()).expect("a request");
        let (response, _) = client.send_request(request, true).expect("a stream");
        let response = timeout(PATIENCE, response).await.expect("a response");
        let (head, body) = response.expect("a response").into_parts();
        assert_eq!(head.status, 200);
        Self {
            headers: head.headers,
            body,
            client,
            connection,
            bytes: Vec::new(),
        }
    }

    /// Reads the first block, which is there by itself.
    pub(crate) async fn greeting(&mut self) -> String {
        while !self.text().contains("\n\n") {
            assert!(self.read().await, "the stream ends: {}", self.text());
        }
        let text = self.text();
        let (block, _) = text.split_once("\n\n").expect("the end of a block");
        format!("{block}\n\n")
    }

    /// Reads as many bytes at least.
    pub(crate) async fn until_bytes(&mut self, count: usize) -> String {
        while self.bytes.len() < count {
            assert!(self.read().await, "the stream ends: {}", self.text());
        }
        self.text()
    }

    /// Reads to the end, which is one that the server made.
    pub(crate) async fn finish(&mut self) {
        while self.read().await {}
    }

    /// Sends another request over the same connection, with this body, and waits for the head of the response.
    pub(crate) async fn request(&self, request: Request<()>, body: Bytes) -> Response<RecvStream> {
        let mut client = self.client.clone().ready().await.expect("a stream");
        let (response, mut sent) = client.send_request(request, false).expect("a stream");
        sent.send_data(body, true).expect("a stream that is open");
        let response = timeout(PATIENCE, response).await.expect("a response");
        response.expect("a response")
    }

    /// Cancels the stream, and returns what keeps its connection open.
    pub(crate) fn cancel(self) -> Connection {
        Connection {
            _client: self.client,
            connection: self.connection,
        }
    }

    /// Returns all that has come.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).expect("UTF-8")
    }

    async fn read(&mut self) -> bool {
        let data = timeout(PATIENCE, self.body.data()).await.expect("more");
        let Some(data) = data.transpose().expect("the stream goes on, or ends") else {
            return false;
        };
        let released = self.body.flow_control().release_capacity(data.len());
        released.expect("what was received");
        self.bytes.extend_from_slice(&data);
        true
    }
}

/// A connection without a stream.
#[derive(Debug)]
pub(crate) struct Connection {
    _client: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.connection.is_finished()
    }
}
