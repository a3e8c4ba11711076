//! Tests the built example, as a separate process.

mod resume;
mod support;

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;

use support::{Server, command};

const MEGABYTE: usize = 1 << 20;

#[test]
fn the_page_is_one_file_without_outside_resources() {
    let server = Server::start();
    let mut page = server.get("/");
    assert_eq!(page.status(), "200");
    assert!(
        page.has_header("content-type: text/html; charset=utf-8"),
        "{}",
        page.head
    );
    let text = page.rest();
    assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"));
    for outside in ["http:", "https:", "src=", "@import", "url(", "innerHTML"] {
        assert!(!text.contains(outside), "{outside}");
    }
}

#[test]
fn other_paths_and_methods_are_refused() {
    let server = Server::start();
    assert_eq!(server.get("/page.html").status(), "404");
    let is_refused = |method: &str, path: &str, allowed: &str| {
        let request = format!("{method} {path} HTTP/1.0\r\n\r\n");
        let mut response = server.request(request.as_bytes());
        assert_eq!(response.status(), "405");
        assert!(response.has_header(allowed), "{}", response.head);
        response.rest()
    };
    for method in ["OPTIONS", "POST"] {
        is_refused(method, "/", "allow: GET, HEAD");
        is_refused(method, "/events", "allow: GET");
    }
    assert_eq!(is_refused("HEAD", "/events", "allow: GET"), "");
    let mut head = server.request(b"HEAD / HTTP/1.0\r\n\r\n");
    assert_eq!(head.status(), "200");
    assert_eq!(head.rest(), "");
}

#[test]
fn only_requests_for_this_machine_are_answered() {
    let server = Server::start();
    let status = |path: &str, host: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        server.request(request.as_bytes()).status().to_owned()
    };
    for path in ["/", "/events"] {
        assert_eq!(status(path, &server.address), "200");
        assert_eq!(status(path, "localhost:8000"), "200");
        // Its name was made to resolve to this machine.
        assert_eq!(status(path, "evil.example:8000"), "421");
    }
}

#[test]
fn a_stream_starts_with_a_comment_and_a_greeting() {
    let server = Server::start();
    let mut stream = server.get("/events?last_event_id=17");
    assert_eq!(stream.status(), "200");
    assert!(
        stream.has_header("content-type: text/event-stream"),
        "{}",
        stream.head
    );
    let hello = stream.block();
    // The client is told that its id is unknown, and gets one of this run in the same block.
    let first = ": events follow\nretry: 1000\nevent: hello\nid: ";
    assert!(hello.starts_with(first), "{hello}");
    assert!(hello.contains("-0\ndata: {"), "{hello}");
    assert!(hello.contains(r#""last_event_id":"17""#), "{hello}");
}

#[test]
fn the_header_is_newer_than_the_query() {
    let server = Server::start();
    let request = b"GET /events?last_event_id=17 HTTP/1.0\r\nLast-Event-ID: 18\r\n\r\n";
    let hello = server.request(request).data_of("hello");
    assert!(hello.contains(r#""last_event_id":"18""#), "{hello}");
}

#[test]
fn an_invalid_last_event_id_is_an_unknown_one() {
    let server = Server::start();
    let long = "7".repeat(1025);
    for value in [&b"\xff"[..], long.as_bytes()] {
        let request = [
            b"GET /events HTTP/1.0\r\nLast-Event-ID: ",
            value,
            b"\r\n\r\n",
        ]
        .concat();
        let hello = server.request(&request).data_of("hello");
        assert!(hello.contains(r#""begins":"unknown""#), "{hello}");
    }
    let hello = server.get("/events?last_event_id=1%002").data_of("hello");
    assert!(
        hello.contains(r#""last_event_id":null,"begins":"unknown""#),
        "{hello}"
    );
}

/// The SDKs of `OpenAI` and Anthropic ask for streams like this.
#[test]
fn a_client_that_accepts_only_json_gets_the_stream() {
    let server = Server::start();
    let request = b"GET /events HTTP/1.0\r\nAccept: application/json\r\n\r\n";
    let hello = server.request(request).data_of("hello");
    assert!(hello.contains(r#""begins":"live""#), "{hello}");
}

#[test]
fn metrics_arrive_as_typed_events_whose_ids_count_up() {
    let server = Server::start();
    let mut stream = server.events();
    let first = stream.id_of("cpu");
    assert_eq!(stream.id_of("memory"), first + 1);
    assert_eq!(stream.id_of("load"), first + 2);
    assert!(stream.data_of("cpu").contains(r#""cores":["#));
}

#[test]
fn each_line_of_standard_input_is_one_event_for_every_client() {
    let mut server = Server::start();
    let mut streams = [server.events(), server.events()];
    let lines: [(&[u8], &str); 9] = [
        (b"plain\n", "plain"),
        (b"\n", ""),
        (b" spaces \n", " spaces "),
        (b"from elsewhere\r\n", "from elsewhere"),
        (b"10 %\r20 %\r30 %\n", "10 %\n20 %\n30 %"),
        (b"\r\rid: 1\r\n", "\n\nid: 1"),
        (b"invalid \xff\xfe\n", "invalid \u{fffd}\u{fffd}"),
        (
            b"null \0 and \xe2\x80\xa8 within\n",
            "null \0 and \u{2028} within",
        ),
        (b"event: cpu\n", "event: cpu"),
    ];
    for (bytes, _) in lines {
        server.write(bytes);
    }
    for stream in &mut streams {
        for (_, data) in lines {
            assert_eq!(stream.data_of("line"), data);
        }
    }
}

#[test]
fn a_line_of_ten_megabytes_arrives_whole() {
    let mut server = Server::start();
    let mut stream = server.events();
    let mut line = vec![b'x'; 10 * MEGABYTE];
    line.push(b'\n');
    server.write(&line);
    assert_eq!(stream.data_of("line").len(), 10 * MEGABYTE);
    server.write(b"after\n");
    assert_eq!(stream.data_of("line"), "after");
}

#[test]
fn a_line_that_is_too_long_is_cut_before_its_end_is_seen() {
    let mut server = Server::start();
    let mut stream = server.events();
    server.write(&vec![b'x'; 17 * MEGABYTE]);
    let data = stream.data_of("line");
    assert!(
        data.len() < 2 * MEGABYTE
            && data.ends_with("\n[cut here: the line is too long to be sent]")
    );
    server.write(b"its end\nafter\n");
    assert_eq!(stream.data_of("line"), "after");
    // Each CR takes seven bytes on the wire.
    let mut breaks = vec![b'\r'; 15 * MEGABYTE];
    breaks.push(b'\n');
    server.write(&breaks);
    assert!(stream.data_of("line").len() < 2 * MEGABYTE);
    server.write(b"after\n");
    assert_eq!(stream.data_of("line"), "after");
}

#[test]
fn the_end_of_standard_input_does_not_end_the_server() {
    let mut server = Server::start();
    let mut stream = server.events();
    server.write(b"no line end");
    server.input = None;
    assert_eq!(stream.data_of("line"), "no line end");
    server.logged("standard input has ended");
    stream.block_of("cpu");
    server.events();
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    let mut server = Server::start();
    let mut stream = server.events();
    server.write(b"one\n");
    let block = stream.block_of("line");
    let id = block.lines().find_map(|line| line.strip_prefix("id: "));
    let id = id.expect("each event has one").to_owned();
    drop(stream);
    let mut other = server.events();
    server.write(b"two\nthree\nfour\n");
    for line in ["two", "three", "four"] {
        assert_eq!(other.data_of("line"), line);
    }

    let request = format!("GET /events HTTP/1.0\r\nLast-Event-ID: {id}\r\n\r\n");
    let mut stream = server.request(request.as_bytes());
    let hello = stream.data_of("hello");
    assert!(hello.contains(r#""begins":"resumed""#), "{hello}");
    for line in ["two", "three", "four"] {
        assert_eq!(stream.data_of("line"), line);
    }
    server.write(b"five\n");
    assert_eq!(stream.data_of("line"), "five");

    // An id of another run is unknown.
    let request = "GET /events HTTP/1.0\r\nLast-Event-ID: 1-1\r\n\r\n";
    let mut stream = server.request(request.as_bytes());
    let hello = stream.data_of("hello");
    assert!(hello.contains(r#""begins":"unknown""#), "{hello}");
    assert_eq!(stream.data_of("line"), "one");
}

#[test]
fn a_client_that_asks_for_the_oldest_gets_all_that_is_kept_and_then_what_comes() {
    let mut server = Server::start();
    let mut early = server.events();
    server.write(b"one\ntwo\n");
    early.data_of("line");
    early.data_of("line");
    early.block_of("load");

    let mut late = server.get("/events?from=oldest");
    let hello = late.block_of("hello");
    assert!(hello.contains(r#""begins":"oldest""#), "{hello}");
    // A client that is cut here comes back with the place before all that is kept.
    assert!(hello.contains("-0\n"), "{hello}");
    let number = |name: &str, json: &str| -> u64 {
        let (_, rest) = json.split_once(&format!(r#""{name}":"#)).expect("a number");
        let end = rest.find([',', '}']).expect("an end");
        rest[..end].parse().expect("a number")
    };
    let replayed = number("replayed", &hello);
    assert!(replayed >= 5, "two lines and three readings: {hello}");
    let blocks: Vec<String> = (0..replayed).map(|_| late.block()).collect();
    let lines = blocks
        .iter()
        .filter(|block| block.starts_with("event: line\n"));
    let lines = lines.map(|block| block.rsplit_once("data: ").expect("data").1);
    assert_eq!(lines.collect::<Vec<_>>(), ["one\n", "two\n"]);
    let readings = blocks.iter().filter(|block| block.contains(r#""at":"#));
    let times: Vec<u64> = readings.map(|block| number("at", block)).collect();
    assert!(times.is_sorted() && times.last() <= Some(&number("at", &hello)));
    server.write(b"three\n");
    assert_eq!(late.data_of("line"), "three");

    // One that comes back with an id gets only what it missed.
    let id = blocks.last().and_then(|block| block.lines().nth(1));
    let id = id
        .and_then(|line| line.strip_prefix("id: "))
        .expect("an id");
    let request = format!("GET /events?from=oldest HTTP/1.0\r\nLast-Event-ID: {id}\r\n\r\n");
    let mut again = server.request(request.as_bytes());
    assert!(again.data_of("hello").contains(r#""begins":"resumed""#));
    assert_eq!(again.data_of("line"), "three");
}

#[test]
fn a_client_that_is_cut_before_its_first_event_misses_nothing() {
    let mut server = Server::start();
    let mut stream = server.get("/events");
    let hello = stream.block_of("hello");
    let id = hello.lines().find_map(|line| line.strip_prefix("id: "));
    let id = id.expect("it has one").to_owned();
    drop(stream);
    let mut other = server.events();
    server.write(b"meanwhile\n");
    assert_eq!(other.data_of("line"), "meanwhile");

    let request = format!("GET /events HTTP/1.0\r\nLast-Event-ID: {id}\r\n\r\n");
    let mut stream = server.request(request.as_bytes());
    let hello = stream.data_of("hello");
    assert!(hello.contains(r#""begins":"resumed""#), "{hello}");
    assert_eq!(stream.data_of("line"), "meanwhile");
}

#[test]
fn a_client_that_goes_away_is_logged() {
    let server = Server::start();
    drop(server.events());
    let line = server.logged("disconnected: the client is gone, after ");
    let lived = line.rsplit_once("after ").unwrap().1;
    let lived: f32 = lived.strip_suffix(" s").unwrap().parse().unwrap();
    assert!(lived >= 0.0, "{line}");
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_the_others_go_on() {
    let mut server = Server::start();
    let idle = server.get("/events");
    let mut stream = server.events();
    let mut line = vec![b'x'; 10 * MEGABYTE];
    line.push(b'\n');
    // More than the system buffers for a socket, and more than the log keeps.
    for _ in 0..10 {
        server.write(&line);
        assert_eq!(stream.data_of("line").len(), 10 * MEGABYTE);
    }
    let line = server.logged("disconnected: it reads nothing");
    assert!(line.starts_with("client 1 at 127.0.0.1:"), "{line}");
    drop(idle);
    server.write(b"after\n");
    assert_eq!(stream.data_of("line"), "after");
}

#[test]
fn a_client_that_reads_nothing_of_other_answers_is_cut_off() {
    let server = Server::start();
    let mut socket = TcpStream::connect(&server.address).expect("the server accepts");
    // More answers than the system buffers for a socket.
    let requests = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let writes = std::thread::spawn(move || {
        // Fails once the server has cut the connection.
        while socket.write_all(requests.as_bytes()).is_ok() {}
    });
    server.logged("was cut: it reads nothing");
    writes.join().expect("the connection has ended");
}

#[cfg(unix)]
#[test]
fn an_interrupt_or_sigterm_ends_the_streams_and_then_the_process() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start();
        let mut streams = [server.events(), server.events()];
        server.signal(signal);
        server.logged("disconnected: the server shuts down");
        for stream in &mut streams {
            assert!(
                stream
                    .rest()
                    .ends_with("event: bye\ndata: the server ends\n\n")
            );
        }
        assert!(server.child.wait().unwrap().success());
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_waits_for_a_client_that_does_not_read_only_so_long() {
    let mut server = Server::start();
    let _idle = server.get("/events");
    // More than the system buffers for a socket, and less than the log keeps.
    for _ in 0..3 {
        server.write(&vec![b'x'; 10 * MEGABYTE]);
        server.write(b"\n");
    }
    server.input = None;
    server.logged("standard input has ended");
    server.signal("INT");
    server.logged("did not end in time");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let server = Server::start();
    let second = command()
        .arg(&server.address)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8(second.stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(
        message.contains(&server.address) && message.contains("taken"),
        "{message}"
    );
}
