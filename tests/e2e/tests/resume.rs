//! The connection is cut, and the client misses nothing.

use crate::support::{
    EXAMPLES, EventStream, EventStream2, Example, Follower, HELLO_AGAIN, Proxy, Seen, Server, each,
    echo, tick,
};

/// How often the connection is cut.
const CUTS: usize = 6;

#[test]
fn cut_at_random_places_our_client_sees_each_event_once() {
    each(|example| {
        let server = Server::start(example, 10, 600);
        let proxy = Proxy::start(server.address, seed(example));
        proxy.cuts(true);
        let mut client = Follower::new(proxy.address);
        client.until("it was cut", |client| {
            !client.seen.is_empty() && proxy.cut() >= CUTS
        });
        proxy.cuts(false);
        let count = client.seen.len();
        client.until("more events", |client| client.seen.len() >= count + 50);

        assert!(client.downs >= CUTS);
        assert_consecutive(&client.seen);
    });
}

#[test]
fn cut_before_its_first_event_a_client_misses_none() {
    each(|example| {
        let server = Server::start(example, 0, 600);
        server.echo("before");
        let mut stream = EventStream::open(server.address, None);
        stream.greeting();
        let (epoch, id) = (stream.epoch(), stream.last_event_id());
        drop(stream);
        server.echo("meanwhile");

        let mut stream = EventStream::open(server.address, Some(&id));
        let expected = [HELLO_AGAIN, &*echo(&epoch, 2, "meanwhile")].concat();
        assert_eq!(stream.until_bytes(expected.len()), expected);
    });
}

#[tokio::test]
async fn over_http_2_a_client_resumes_behind_its_id_too() {
    for example in EXAMPLES.into_iter().filter(|example| example.has_http2) {
        let server = Server::start(example, 0, 600);
        server.echo("before");
        let greeting = EventStream2::open(server.address, None)
            .await
            .greeting()
            .await;
        let (_, place) = greeting.split_once("id: ").expect("an id");
        let (epoch, _) = place.split_once('-').expect("an epoch and a number");
        server.echo("meanwhile");

        let id = format!("{epoch}-1");
        let mut stream = EventStream2::open(server.address, Some(&id)).await;
        let expected = [HELLO_AGAIN, &*echo(epoch, 2, "meanwhile")].concat();
        assert_eq!(stream.until_bytes(expected.len()).await, expected);
    }
}

#[test]
fn killed_and_started_again_the_server_tells_our_client_of_the_gap() {
    each(|example| {
        let server = Server::start(example, 10, 600);
        let mut client = Follower::new(server.address);
        client.until("events", |client| client.seen.len() >= 20);

        let _server = server.killed_and_started_again();
        client.until("a reset", |client| resets(&client.seen) > 0);
        client.until("events of the next", |client| {
            after_reset(&client.seen).len() >= 20
        });
        assert_told(&client.seen);
    });
}

/// Asserts that none is missing, and none is there twice.
pub(crate) fn assert_consecutive(seen: &[Seen]) {
    let (epoch, first) = seen[0].id();
    for (number, seen) in (first..).zip(seen) {
        assert_eq!((seen.id(), &*seen.event_type), ((epoch, number), "tick"));
        assert_eq!(seen.data, tick(number));
    }
}

/// Asserts that there is one reset, behind which all begins anew.
pub(crate) fn assert_told(seen: &[Seen]) {
    assert_eq!(resets(seen), 1);
    let after = after_reset(seen);
    let before = &seen[..seen.len() - after.len() - 1];
    assert_consecutive(before);
    assert_consecutive(after);
    assert_eq!(after[0].id().1, 1);
    assert_ne!(after[0].id().0, before[0].id().0);
}

pub(crate) fn resets(seen: &[Seen]) -> usize {
    let resets = seen.iter().filter(|seen| seen.event_type == "reset");
    resets.count()
}

pub(crate) fn after_reset(seen: &[Seen]) -> &[Seen] {
    let reset = seen.iter().position(|seen| seen.event_type == "reset");
    reset.map_or(&[], |reset| &seen[reset + 1..])
}

/// Another for each, and the same in every run.
pub(crate) fn seed(example: Example) -> usize {
    example.name.bytes().map(usize::from).sum()
}
