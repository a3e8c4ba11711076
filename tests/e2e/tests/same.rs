//! The same events, byte for byte, from every runtime.

use crate::support::{EXAMPLES, EventStream, EventStream2, Server, each, reset, ticks};

/// Twice each kind of data.
const TICKS: u64 = 16;

/// No server's: all that is in the log follows.
const UNKNOWN: Option<&str> = Some("elsewhere-7");

#[test]
fn over_http_1_every_runtime_sends_the_same_bytes() {
    each(|example| {
        let server = Server::start(example, 10, 600);
        let mut stream = EventStream::open(server.address, UNKNOWN);
        stream.until("the ticks", |stream| stream.events.len() > 16);

        let epoch = stream.epoch();
        let expected = [reset(&epoch, 0), ticks(&epoch, TICKS)].concat();
        let came = stream.until_bytes(expected.len());
        assert_eq!(came[..expected.len()], expected);
    });
}

#[tokio::test]
async fn over_http_2_they_send_the_same_bytes_and_no_header_of_a_connection() {
    for example in EXAMPLES.into_iter().filter(|example| example.has_http2) {
        let server = Server::start(example, 10, 600);
        let mut stream = EventStream2::open(server.address, UNKNOWN).await;
        let greeting = stream.greeting().await;
        let came = stream.until_bytes(greeting.len() + 60).await;
        let (_, id) = came.split_once("id: ").expect("an id");
        let (epoch, _) = id.split_once('-').expect("an epoch and a number");

        let expected = [reset(epoch, 0), ticks(epoch, TICKS)].concat();
        let came = stream.until_bytes(expected.len()).await;
        assert_eq!(came[..expected.len()], expected);
        assert_eq!(stream.headers["content-type"], "text/event-stream");
        for name in ["connection", "keep-alive", "transfer-encoding"] {
            assert!(!stream.headers.contains_key(name), "{name}");
        }
    }
}
