//! Many streams at once.

use crate::support::{EventStream, HYPER_TOKIO, Server, echo, hello, until};

const STREAMS: usize = 1000;
const EVENTS: u64 = 100;

#[test]
fn of_a_thousand_streams_each_gets_all_events() {
    // The server has the same limit.
    let files = rlimit::increase_nofile_limit(4096).expect("a limit");
    assert!(
        files > 2 * 1024,
        "only {files} files may be open: ulimit -n"
    );
    let server = Server::start(HYPER_TOKIO, 0, 600);
    let held = server.holds().sockets;
    let open = |_| EventStream::open(server.address, None);
    let mut streams: Vec<EventStream> = (0..STREAMS).map(open).collect();
    for stream in &mut streams {
        stream.greeting();
    }
    assert_eq!(server.stats().open, STREAMS);

    let text = |number: u64| format!("number\n{number}");
    for number in 1..=EVENTS {
        server.echo(&text(number));
    }
    streams[0].until("an event", |stream| !stream.events.is_empty());
    let epoch = streams[0].epoch();
    let events: String = (1..=EVENTS)
        .map(|number| echo(&epoch, number, &text(number)))
        .collect();
    let expected = format!("{}{events}", hello(&epoch, 0));
    for stream in &mut streams {
        assert!(
            stream.until_bytes(expected.len()) == expected,
            "{}",
            stream.text()
        );
    }

    drop(streams);
    let stats = server.until_stats("the end of all", |stats| stats.open == 0);
    assert_eq!(stats.ended, STREAMS as u64);
    until("no connection left", || {
        let now = server.holds().sockets;
        (now <= held).then_some(()).ok_or(format!("{now} sockets"))
    });
}
