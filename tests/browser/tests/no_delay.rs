//! Small writes are not held back: what the system has for a connection, asked while its stream is open.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::support::Server;

#[test]
fn the_connections_of_the_example_have_tcp_nodelay() {
    let server = Server::start();
    let mut client = TcpStream::connect(&server.address).expect("a connection");
    let written = client.write_all(b"GET /events HTTP/1.0\r\n\r\n");
    written.expect("a request");
    let mut lines = BufReader::new(&client).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "event: cpu"), "no metrics");

    let client = client.local_addr().expect("an address");
    if let Some(socket) = server.socket_to(client) {
        assert!(socket.nodelay().expect("an option"));
    }
}
