//! Clients that mean harm.

use std::io::{Read, Write};
use std::net::TcpStream;

use sse_proto::decode::OwnedMessageEvent;

use crate::support::{EventStream, Request, Server, each, until};

/// The files that a server may have.
const FILES: usize = 64;

#[test]
fn more_connections_than_files_do_not_end_a_server() {
    each(|example| {
        let server = Server::start_within("-n 64", example);
        let mut stream = EventStream::open(server.address, None);
        stream.greeting();
        let connect = |_| TcpStream::connect(server.address).expect("a place in the queue");
        let connections: Vec<TcpStream> = (0..2 * FILES).map(connect).collect();
        until("no file left", || match server.files() {
            FILES.. => Ok(()),
            files => Err(format!("{files} files")),
        });
        drop(connections);
        server.echo("here");
        stream.until("the event", |stream| stream.events.len() == 1);
    });
}

#[test]
fn who_sends_a_request_without_end_does_not_hold_up_a_shutdown() {
    each(|example| {
        let mut server = Server::start(example, 0, 600);
        let starts: [&[u8]; 2] = [
            b"GET /events HTTP/1.1\r\nhost: localhost\r\nx: ",
            b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 16000\r\n\r\n",
        ];
        let mut connections = starts.map(|start| {
            let mut connection = TcpStream::connect(server.address).expect("a connection");
            connection.write_all(start).expect("the start of a request");
            connection
        });
        // It has read these by now.
        server.stats();
        server.shut_down();
        let status = server.exit_status_while(|| {
            for connection in &mut connections {
                // It may be cut any time.
                let _ = connection.write(b"a");
            }
        });
        assert!(status.success());
    });
}

#[test]
fn a_body_of_unknown_length_is_published_whole_or_not_at_all() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        let mut stream = EventStream::open(server.address, None);
        stream.greeting();
        let chunks = "2\r\nhi\r\n0\r\n\r\n";
        for (name, value) in [
            ("transfer-encoding", "chunked"),
            ("content-length", "2 and 2"),
        ] {
            let mut connection = TcpStream::connect(server.address).expect("a connection");
            let request = format!(
                "POST /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{name}: {value}\r\n\r\n{chunks}"
            );
            connection.write_all(request.as_bytes()).expect("a request");
            // An answer, an end or a reset: it is through with it.
            let _ = connection.read_to_end(&mut Vec::new());
        }
        server.echo("the last");
        stream.until("the last", |stream| {
            let last = stream.events.last();
            last.is_some_and(|event| event.data() == "the last")
        });
        let came = stream.events.iter().map(OwnedMessageEvent::data);
        let came: Vec<&str> = came.collect();
        assert!(
            came == ["the last"] || came == ["hi", "the last"],
            "{came:?}"
        );
    });
}

#[test]
fn who_speaks_http_1_0_gets_no_chunks() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        let mut connection = TcpStream::connect(server.address).expect("a connection");
        let sent = connection.write_all(b"GET /stats HTTP/1.0\r\n\r\n");
        sent.expect("a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(
            !head.to_ascii_lowercase().contains("transfer-encoding"),
            "{head}"
        );
        assert_eq!(body.chars().next(), Some('{'), "{body}");
    });
}

#[test]
fn who_asks_the_firmware_for_nothing_makes_room_for_others() {
    let server = Server::start_bare_metal();
    // As many as there are places.
    let _idle = [(); 8].map(|()| TcpStream::connect(server.address).expect("a connection"));
    let status = Request::get("/other").send(server.address).status;
    assert_eq!(status, 404);
}
