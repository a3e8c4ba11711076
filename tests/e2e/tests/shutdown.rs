//! A server shuts down while streams are open.

use crate::support::{EXAMPLES, EventStream, EventStream2, Example, Server, each};

/// What all get at the end.
const FAREWELL: &str = "retry: 1000\n";

#[test]
fn after_sigterm_all_streams_end_with_a_farewell_and_so_does_the_server() {
    each(|example| ends(example, Server::shut_down));
}

#[test]
fn so_they_do_after_ctrl_c() {
    each(|example| ends(example, |server| server.interrupt()));
}

fn ends(example: Example, end: fn(&mut Server)) {
    let mut server = Server::start(example, 10, 600);
    let open = |_| EventStream::open(server.address, None);
    let mut streams: Vec<EventStream> = (0..3).map(open).collect();
    for stream in &mut streams {
        stream.until("a tick", |stream| !stream.events.is_empty());
    }
    end(&mut server);
    for stream in &mut streams {
        assert!(stream.finish(), "it was cut");
        assert!(stream.text().ends_with(FAREWELL), "{}", stream.text());
    }
    assert!(server.exit_status().success());
}

#[test]
fn a_client_that_reads_nothing_does_not_hold_it_up() {
    each(|example| {
        let mut server = Server::start(example, 0, 600);
        let mut stream = EventStream::open(server.address, None);
        stream.greeting();
        // More than the buffers of the system hold.
        for _ in 0..1000 {
            server.echo(&"a".repeat(16 * 1000));
        }
        server.shut_down();
        assert!(server.exit_status().success());
    });
}

#[tokio::test]
async fn over_http_2_they_end_too() {
    for example in EXAMPLES.into_iter().filter(|example| example.has_http2) {
        let mut server = Server::start(example, 0, 600);
        let mut stream = EventStream2::open(server.address, None).await;
        stream.greeting().await;
        server.shut_down();
        stream.finish().await;
        assert!(stream.text().ends_with(FAREWELL), "{}", stream.text());
        assert!(server.exit_status().success());
    }
}
