//! Small writes are not held back: what the system has for each connection, asked while its stream is open.

use crate::support::{EventStream, Server, each};

#[test]
fn the_connections_of_every_example_have_tcp_nodelay() {
    each(|example| has_no_delay(&Server::start(example, 0, 600)));
}

#[test]
fn those_of_the_firmware_have_it_too() {
    has_no_delay(&Server::start_bare_metal());
}

fn has_no_delay(server: &Server) {
    let mut stream = EventStream::open(server.address, None);
    stream.until_bytes(": hello\n".len());
    let client = stream.response.socket;
    // What a socket has if nobody sets it.
    assert!(!client.nodelay().expect("an option"));
    let client = client.local_addr().expect("an address");
    if let Some(socket) = server.socket_to(client) {
        assert!(socket.nodelay().expect("an option"));
    }
}
