//! What there is goes out at once.

use crate::support::{EXAMPLES, EventStream, EventStream2, Server, each, echo, hello};

/// With all that ever went wrong on the wire.
const TEXTS: [&str; 5] = [
    "short",
    "two\nlines, and an empty one\n",
    r#"{"json": "😀 \n", "n": [1, null]}"#,
    "\u{2028}\u{85}\u{feff}",
    " a space\nid: 7\n\nevent: x",
];

#[test]
fn the_first_comment_comes_before_any_event_and_each_event_while_the_stream_is_idle() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        let mut stream = EventStream::open(server.address, None);
        // There is no event to wait for: these are here by themselves.
        let mut expected = stream.greeting();
        let epoch = stream.epoch();
        assert_eq!(expected, hello(&epoch, 0));

        for (number, text) in (1..).zip(TEXTS) {
            server.echo(text);
            stream.until("the event", |stream| stream.events.len() == number);
            expected += &echo(&epoch, number as u64, text);
            assert_eq!(stream.text(), expected);
            assert_eq!(stream.events[number - 1].data(), text);
        }
    });
}

#[tokio::test]
async fn so_it_is_over_http_2() {
    for example in EXAMPLES.into_iter().filter(|example| example.has_http2) {
        let server = Server::start(example, 0, 600);
        let mut stream = EventStream2::open(server.address, None).await;
        let greeting = stream.greeting().await;
        assert!(
            greeting.starts_with(": hello\nevent: stream-start\nid: "),
            "{greeting}"
        );
        server.echo("here");
        let came = stream.until_bytes(greeting.len() + 40).await;
        assert!(came.ends_with("-1\ndata: here\n\n"), "{came}");
    }
}

#[test]
fn a_silent_stream_is_kept_alive() {
    each(|example| {
        // For longer than the timeouts of the example `tower-http`.
        let server = Server::start(example, 0, 1);
        let mut stream = EventStream::open(server.address, None);
        let expected = format!(
            "{}{}",
            stream.greeting(),
            ": keep-alive comment\n".repeat(4)
        );
        assert_eq!(stream.until_bytes(expected.len()), expected);
    });
}
