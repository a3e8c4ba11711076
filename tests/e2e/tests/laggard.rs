//! A client that reads nothing.

use crate::support::{EventStream, Server, each};

/// More than the buffers of the system hold.
const MOST: usize = 4000;

/// What the log of the examples retains.
const RETAINED: u64 = 1024 * 1024;

#[test]
fn who_reads_nothing_falls_out_of_the_log_and_the_others_go_on() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        let mut laggard = EventStream::open(server.address, None);
        laggard.greeting();
        let mut reader = EventStream::open(server.address, None);
        let text = "a".repeat(16 * 1000);
        let acted = (1..=MOST).any(|number| {
            server.echo(&text);
            // Each event comes before there is the next: nobody waits for the other.
            reader.until("the event", |reader| reader.events.len() == number);
            let stats = (number % 50 == 0).then(|| server.stats());
            stats.is_some_and(|stats| {
                assert!(stats.retained_bytes <= RETAINED);
                stats.lagging == 1 || stats.ended == 1
            })
        });
        assert!(acted, "the laggard has not lost its place");

        // It gets what was on its way, and the end of a response, unless its connection was given up.
        let was_ended = laggard.finish_or_cut();
        assert!(laggard.events.len() < reader.events.len());
        let stats = server.until_stats("its end", |stats| stats.ended == 1);
        assert_eq!((stats.open, stats.lagging), (1, 0));
        let end = if was_ended { "lagged" } else { "client gone" };
        assert_eq!(stats.last_ends, [end]);
        assert!(was_ended || example.gives_up, "it was cut");

        // The other is still there.
        let before = reader.events.len();
        server.echo("on");
        reader.until("the event", |reader| reader.events.len() > before);
    });
}
