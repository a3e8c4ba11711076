//! What becomes of clients and publications when Redis fails, on a real redis-server.

mod support;

use std::time::Duration;

use sse_proto::broadcast::SubscribeOptions;
use sse_proto::{Event, EventId, EventType};
use sse_proto_redis::{
    Body, Error, Limits, Options, Place, PublishError, Readiness, Refusal, Relay, Stream,
    Subscribed, Warning,
};
use sse_proto_relay::{Engine, PageLimit, Rule, Write};
use support::{Link, Proxy, Server, create, data, end, entry, eventually, publisher, relay, until};
use tokio::time::sleep;

fn all() -> SubscribeOptions {
    SubscribeOptions::new()
}

fn reset() -> Event<'static> {
    Event::new(EventType::from_static("reset"), "told")
}

fn event_id(id: &str) -> EventId<'static> {
    EventId::new(id.to_owned()).unwrap()
}

async fn resume(relay: &Relay, id: &str) -> Subscribed {
    relay.subscribe(&all(), event_id(id)).await.unwrap()
}

async fn live(relay: &Relay) -> Body {
    relay
        .subscribe(&all(), None)
        .await
        .unwrap()
        .or_live(&reset())
}

/// Small logs, so that history is needed.
fn small() -> Options {
    Options::new().with_sizes(8, 4, 3)
}

#[tokio::test]
async fn a_client_resumes_on_another_node_right_after_its_id() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let (one, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&one).await;
    let first = publisher.publish(&entry("first")).await.unwrap();
    let text = until(&mut body, "first").await;
    assert_eq!(text, format!("id: {first}\ndata: first\n\n"));
    publisher.publish(&entry("second")).await.unwrap();
    let topic = entry("for others").with_topic("others").unwrap();
    publisher.publish(&topic).await.unwrap();
    publisher.publish(&entry("third")).await.unwrap();

    let two = relay(&stream, Options::new()).await;
    let mut body = resume(&two, &first.to_string()).await.or_live(&reset());
    assert_eq!(data(&until(&mut body, "third").await), ["second", "third"]);
    assert_eq!(two.metrics().pages, 0);
    assert!(two.ready());
}

#[tokio::test]
async fn older_ids_get_pages_of_history_by_the_same_topics_and_byte_for_byte() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let publisher = publisher(&stream).await;
    let whole = relay(&stream, Options::new()).await;
    let mut reader = live(&whole).await;
    let first = publisher.publish(&entry("first")).await.unwrap();
    for number in 0..30 {
        let entry = entry(&number.to_string());
        let entry = match number % 3 {
            0 => entry.with_topic("others").unwrap(),
            _ => entry,
        };
        publisher.publish(&entry).await.unwrap();
    }
    publisher.publish(&entry("last")).await.unwrap();
    let seen = until(&mut reader, "last").await;
    let after_first = seen.split_once("data: first\n\n").unwrap().1;

    for (rule, is_same) in [(None, true), (Some(Rule::TopicsInPages), false)] {
        let small = relay(&stream, small().with_broken(rule)).await;
        let mut body = resume(&small, &first.to_string()).await.or_live(&reset());
        let text = until(&mut body, "last").await;
        assert_eq!(text == after_first, is_same, "{text}");
        assert!(small.metrics().pages > 3, "{:?}", small.metrics());
        publisher.publish(&entry("live")).await.unwrap();
        until(&mut body, "live").await;
    }
}

#[tokio::test]
async fn an_empty_stream_has_an_origin_and_nothing_is_lost_from_it() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let one = relay(&stream, Options::new()).await;
    let origin = one.broadcast().last_event_id().unwrap().to_string();
    assert!(origin.starts_with("0-0-"), "{origin}");
    let publisher = publisher(&stream).await;
    for number in 0..30 {
        publisher
            .publish(&entry(&number.to_string()))
            .await
            .unwrap();
    }
    publisher.publish(&entry("last")).await.unwrap();
    let two = relay(&stream, small()).await;
    let subscribed = resume(&two, &origin).await;
    assert!(
        matches!(subscribed, Subscribed::Resumed(_)),
        "{subscribed:?}"
    );
    let text = until(&mut subscribed.or_live(&reset()), "last").await;
    assert_eq!(data(&text).len(), 31);
    // Once something was removed, nobody knows what the client lacks.
    let _: i64 = server.run(&["XTRIM", "s", "MAXLEN", "29"]).await;
    let three = relay(&stream, small()).await;
    assert!(matches!(resume(&three, &origin).await, Subscribed::Gap(_)));
}

#[tokio::test]
async fn a_reply_that_is_lost_after_the_write_writes_no_second_entry() {
    let server = Server::start(&[]).await;
    let direct = create(server.client()).await;
    let proxy = Proxy::start(server.port).await;
    let stream = Stream::new(support::client(proxy.port), "s").unwrap();
    for (rule, written) in [(None, 1), (Some(Rule::SameKey), 3)] {
        let publisher = publisher(&stream).await.with_broken(rule);
        proxy.set(Link::LoseReply);
        let id = publisher.publish(&entry("once")).await.unwrap();
        let len: u64 = server.run(&["XLEN", "s"]).await;
        assert_eq!(len, written, "{rule:?}");
        // The id is that of the try that was written.
        let relay = relay(&direct, Options::new()).await;
        assert!(matches!(
            resume(&relay, &id.to_string()).await,
            Subscribed::Resumed(_)
        ));
    }
}

#[tokio::test]
async fn a_key_of_ones_own_writes_once() {
    let server = Server::start(&[]).await;
    let publisher = publisher(&create(server.client()).await).await;
    let entry = entry("x").with_key("row-7").unwrap();
    let first = publisher.publish(&entry).await.unwrap();
    // Redis forgets its scripts, too.
    let _: String = server.run(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(publisher.publish(&entry).await.unwrap(), first);
    let len: u64 = server.run(&["XLEN", "s"]).await;
    assert_eq!(len, 1);
}

#[tokio::test]
async fn a_stopped_engine_makes_the_node_stale_and_publications_unconfirmed() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let options = Options::new()
        .with_stale_after(Duration::from_secs(2))
        .with_patience(Duration::from_millis(300));
    let relay = relay(&stream, options).await;
    let publisher = publisher(&stream).await;
    let publisher = publisher.with_retry_for(Duration::from_secs(1)).unwrap();
    let mut body = live(&relay).await;
    publisher.publish(&entry("before")).await.unwrap();
    until(&mut body, "before").await;

    server.signal("-STOP");
    let answer = publisher.publish(&entry("stopped")).await;
    let Err(PublishError::Unconfirmed { key, .. }) = answer else {
        panic!("{answer:?}")
    };
    eventually("stale", || matches!(relay.readiness(), Readiness::Stale(_))).await;
    let busy = relay.subscribe(&all(), event_id("5-1-00000000")).await;
    assert!(busy.unwrap_err().retry_after() > Duration::ZERO);

    server.signal("-CONT");
    let again = entry("stopped").with_key(key).unwrap();
    publisher.publish(&again).await.unwrap();
    publisher.publish(&entry("after")).await.unwrap();
    assert_eq!(data(&until(&mut body, "after").await), ["stopped", "after"]);
    eventually("ready", || relay.ready()).await;
}

#[tokio::test]
async fn a_full_engine_refuses_and_has_written_nothing() {
    let server = Server::start(&[]).await;
    let publisher = publisher(&create(server.client()).await).await;
    let _: String = server.run(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let answer = publisher.publish(&entry("x")).await;
    let Err(PublishError::Refused(Refusal::Engine(Error::Redis(error)))) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(error.code(), Some("OOM"));
    let len: u64 = server.run(&["XLEN", "s"]).await;
    assert_eq!(len, 0);
    let large = publisher.publish(&entry(&"x".repeat(1 << 20))).await;
    assert!(matches!(
        large,
        Err(PublishError::Refused(Refusal::TooLarge { .. }))
    ));
}

#[tokio::test]
async fn a_stream_that_is_deleted_and_made_again_ends_clients_and_tells_them() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let options = Options::new().with_stale_after(Duration::from_secs(2));
    let (relay, publisher) = (relay(&stream, options).await, publisher(&stream).await);
    let mut body = live(&relay).await;
    let id = publisher
        .publish(&entry("first"))
        .await
        .unwrap()
        .to_string();
    until(&mut body, "first").await;

    let _: i64 = server.run(&["DEL", "s"]).await;
    let answer = publisher.publish(&entry("x")).await;
    let no_stream = matches!(
        answer,
        Err(PublishError::Refused(Refusal::Engine(Error::NoStream)))
    );
    assert!(no_stream, "{answer:?}");
    assert_eq!(server.run::<i64>(&["EXISTS", "s"]).await, 0);
    eventually("stale", || !relay.ready()).await;

    stream
        .create(&Limits::new(1000, support::HOUR))
        .await
        .unwrap();
    end(&mut body).await;
    let subscribed = resume(&relay, &id).await;
    assert!(
        matches!(subscribed, Subscribed::Unknown(_) | Subscribed::Gap(_)),
        "{subscribed:?}"
    );
    let mut body = subscribed.or_live(&reset());
    publisher.publish(&entry("second")).await.unwrap();
    assert_eq!(data(&until(&mut body, "second").await), ["told", "second"]);
    eventually("ready", || relay.ready()).await;
}

#[tokio::test]
async fn a_reader_that_trimming_has_passed_ends_its_clients_and_they_are_told() {
    let server = Server::start(&[]).await;
    let direct = create(server.client()).await;
    let proxy = Proxy::start(server.port).await;
    let stream = Stream::new(support::client(proxy.port), "s").unwrap();
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&direct).await,
    );
    let mut body = live(&relay).await;
    let id = publisher
        .publish(&entry("first"))
        .await
        .unwrap()
        .to_string();
    until(&mut body, "first").await;

    proxy.set(Link::Down);
    for number in 0..20 {
        publisher
            .publish(&entry(&number.to_string()))
            .await
            .unwrap();
    }
    let _: i64 = server.run(&["XTRIM", "s", "MAXLEN", "3"]).await;
    proxy.set(Link::Up);
    assert_eq!(end(&mut body).await, "");
    let subscribed = resume(&relay, &id).await;
    assert!(matches!(subscribed, Subscribed::Gap(_)), "{subscribed:?}");
    let text = {
        let mut body = subscribed.or_oldest(&reset());
        until(&mut body, "19").await
    };
    assert_eq!(data(&text), ["told", "17", "18", "19"]);
}

/// Takes back the newest entries, as a failover to a replica that lags does, and writes others. (The
/// id 0-0 would leave the greatest id that was deleted as it is.)
async fn fail_over(server: &Server, lost: &[&str], last: &str, added: &str, new: &[&str]) {
    for id in lost {
        let _: i64 = server.run(&["XDEL", "s", id]).await;
    }
    let _: String = server
        .run(&[
            "XSETID",
            "s",
            last,
            "ENTRIESADDED",
            added,
            "MAXDELETEDID",
            "0-1",
        ])
        .await;
    for (number, id) in new.iter().enumerate() {
        let data = format!("new {number}");
        let _: String = server
            .run(&["XADD", "s", id, "v", "1", "data", &data])
            .await;
    }
}

#[tokio::test]
async fn an_older_state_with_equal_or_lower_ids_ends_those_who_saw_what_is_lost() {
    for new in [
        ["5-3", "5-4"],
        ["5-3", "6-1"],
        ["4-7", "4-8"],
        ["4-5", "4-6"],
    ] {
        let is_equal = new == ["5-3", "5-4"];
        for rule in [None]
            .into_iter()
            .chain(is_equal.then_some(Some(Rule::Tag)))
        {
            let server = Server::start(&[]).await;
            create(server.client()).await;
            let proxy = Proxy::start(server.port).await;
            let stream = Stream::new(support::client(proxy.port), "s").unwrap();
            for (id, data) in [("4-1", "a"), ("4-2", "b"), ("5-3", "c"), ("5-4", "d")] {
                let _: String = server.run(&["XADD", "s", id, "v", "1", "data", data]).await;
            }
            let relay = relay(&stream, Options::new().with_broken(rule)).await;
            let ids = relay.broadcast().last_event_id().unwrap().to_string();
            assert!(ids.starts_with("5-4-"));
            let mut saw_all = resume(&relay, &ids).await.or_live(&reset());
            let b = "4-2";
            let b = id_of(&relay, b).await;

            proxy.set(Link::Down);
            fail_over(&server, &["5-3", "5-4"], "4-2", "2", &new).await;
            proxy.set(Link::Up);
            if rule.is_some() {
                // Without tags nobody sees it.
                eventually("a proof", || relay.metrics().reconnections > 0).await;
                sleep(Duration::from_millis(1500)).await;
                assert_eq!(relay.metrics().rewinds, 0);
                continue;
            }
            assert_eq!(end(&mut saw_all).await, "", "{new:?}");
            eventually("the new head", || {
                relay
                    .broadcast()
                    .last_event_id()
                    .is_some_and(|id| id.to_string().starts_with(new[1]))
            })
            .await;
            // Who saw what is lost is told; who did not goes on.
            let told = resume(&relay, &ids).await;
            assert!(matches!(told, Subscribed::Unknown(_)), "{new:?} {told:?}");
            let mut body = resume(&relay, &b).await.or_live(&reset());
            assert_eq!(data(&until(&mut body, "new 1").await), ["new 0", "new 1"]);
            assert_eq!((relay.metrics().rewinds, relay.metrics().resets), (1, 0));
        }
    }
}

/// Returns the id at a place, by a client that reads everything.
async fn id_of(relay: &Relay, place: &str) -> String {
    let subscribed = resume(relay, "none of ours").await;
    let mut body = subscribed.or_oldest(&reset());
    let text = until(&mut body, "d").await;
    let id = text
        .lines()
        .find_map(|line| line.strip_prefix("id: ").filter(|id| id.starts_with(place)));
    id.unwrap().to_owned()
}

#[tokio::test]
async fn the_last_entry_that_was_trimmed_is_a_gap_and_the_first_that_is_there_is_none() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let publisher = publisher(&stream).await;
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(
            publisher
                .publish(&entry(&number.to_string()))
                .await
                .unwrap()
                .to_string(),
        );
    }
    let correct = relay(&stream, small()).await;
    let broken = relay(&stream, small().with_broken(Some(Rule::InclusiveRead))).await;
    let _: i64 = server.run(&["XTRIM", "s", "MAXLEN", "30"]).await;
    for (relay, is_gap) in [(correct, true), (broken, false)] {
        let at_trimmed = resume(&relay, &ids[9]).await;
        if is_gap {
            assert!(matches!(at_trimmed, Subscribed::Gap(_)), "{at_trimmed:?}");
        } else {
            assert!(
                matches!(at_trimmed, Subscribed::Resumed(_)),
                "{at_trimmed:?}"
            );
        }
        let at_first = resume(&relay, &ids[10]).await;
        assert!(matches!(at_first, Subscribed::Resumed(_)), "{at_first:?}");
        let text = until(&mut at_first.or_live(&reset()), "39").await;
        assert_eq!(data(&text).len(), 29);
    }
    // Another entry's place, and a place where nothing ever was.
    let relay = relay(&stream, small()).await;
    let (place, _) = ids[12].rsplit_once('-').unwrap();
    for id in [
        format!("{place}-00000000"),
        "99999999999999-0-00000000".to_owned(),
    ] {
        let subscribed = resume(&relay, &id).await;
        assert!(
            matches!(subscribed, Subscribed::Unknown(_)),
            "{id} {subscribed:?}"
        );
    }
    // An entry that was removed from the middle, after an id.
    let removed = ids[20].rsplit_once('-').unwrap().0;
    let _: i64 = server.run(&["XDEL", "s", removed]).await;
    assert!(matches!(resume(&relay, &ids[15]).await, Subscribed::Gap(_)));
    assert!(matches!(
        resume(&relay, &ids[21]).await,
        Subscribed::Resumed(_)
    ));
}

#[tokio::test]
async fn a_page_that_trimming_overtakes_ends_the_stream_and_the_client_is_told() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let publisher = publisher(&stream).await;
    let first = publisher
        .publish(&entry("first"))
        .await
        .unwrap()
        .to_string();
    for number in 0..40 {
        publisher
            .publish(&entry(&number.to_string()))
            .await
            .unwrap();
    }
    let relay = relay(&stream, small()).await;
    let mut body = resume(&relay, &first).await.or_live(&reset());
    let text = until(&mut body, "1").await;
    assert_eq!(data(&text), ["0", "1"]);
    let _: i64 = server.run(&["XTRIM", "s", "MAXLEN", "20"]).await;
    // A page in hand serves for a second.
    sleep(Duration::from_millis(1100)).await;
    let text = end(&mut body).await;
    assert_eq!(text, "");
}

#[tokio::test]
async fn poison_is_a_place_and_a_newer_entry_is_told_and_makes_the_node_not_ready() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    let first = publisher
        .publish(&entry("first"))
        .await
        .unwrap()
        .to_string();
    let _: String = server.run(&["XADD", "s", "*", "what", "ever"]).await;
    let second = publisher
        .publish(&entry("second"))
        .await
        .unwrap()
        .to_string();
    assert_eq!(data(&until(&mut body, "second").await), ["first", "second"]);
    assert_eq!(relay.metrics().poison, 1);
    assert!(relay.ready());

    let _: String = server.run(&["XADD", "s", "*", "v", "2", "data", "x"]).await;
    end(&mut body).await;
    assert_eq!(relay.readiness(), Readiness::Unreadable);
    // What is before it still comes.
    let mut body = resume(&relay, &first).await.or_live(&reset());
    assert_eq!(data(&end(&mut body).await), ["second"]);
    let subscribed = resume(&relay, &second).await;
    assert!(matches!(subscribed, Subscribed::Gap(_)), "{subscribed:?}");
    let mut body = subscribed.or_live(&reset());
    publisher.publish(&entry("third")).await.unwrap();
    assert_eq!(data(&until(&mut body, "third").await), ["told", "third"]);
}

#[tokio::test]
async fn open_refuses_what_cannot_hold_the_promise() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]).await;
    let stream = Stream::new(server.client(), "s").unwrap();
    assert!(matches!(stream.engine().await, Err(Error::NoStream)));
    let _: String = server.run(&["XADD", "s", "*", "a", "b"]).await;
    assert!(matches!(stream.engine().await, Err(Error::NoStream)));
    let exists = stream.create(&Limits::new(1000, support::HOUR)).await;
    assert!(matches!(exists, Err(Error::Exists)), "{exists:?}");
    let _: i64 = server.run(&["DEL", "s"]).await;
    for limits in [
        Limits::new(1, support::HOUR),
        Limits::new(9, Duration::from_secs(29)),
    ] {
        assert!(matches!(
            stream.create(&limits).await,
            Err(Error::LimitsTooLow)
        ));
    }
    stream
        .create(&Limits::new(1000, support::HOUR))
        .await
        .unwrap();
    let engine = stream.engine().await.unwrap();
    assert_eq!(engine.warnings(), [Warning::Evicts("allkeys-lru".into())]);
    let too_small = Options::new().with_retention(999, 1 << 20);
    assert!(Relay::open(engine, too_small).await.is_err());

    let port = server.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]).await;
    let of_replica = Stream::new(replica.client(), "s").unwrap();
    assert!(matches!(of_replica.engine().await, Err(Error::NotMaster)));
    for name in ["", "a}b", "{}a", "a{b"] {
        assert!(
            matches!(Stream::new(server.client(), name), Err(Error::InvalidName)),
            "{name}"
        );
    }
    // Where `CONFIG` is forbidden.
    let acl = [
        "ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-config",
    ];
    let _: String = server.run(&acl).await;
    let url = format!("redis://app:secret@127.0.0.1:{port}/");
    let stream = Stream::new(redis::Client::open(url).unwrap(), "s").unwrap();
    assert!(stream.engine().await.unwrap().warnings().is_empty());
}

/// Runs a line of the README, and returns a client of its user.
async fn user(server: &Server, name: &str) -> redis::Client {
    let lines = include_str!("../README.md").lines();
    let mut lines = lines.filter(|line| line.starts_with(&format!("ACL SETUSER {name} ")));
    let words: Vec<_> = lines.next().unwrap().split(' ').collect();
    let _: String = server.run(&words).await;
    redis::Client::open(format!("redis://{name}:secret@127.0.0.1:{}/", server.port)).unwrap()
}

#[tokio::test]
async fn the_permissions_of_the_readme_are_enough() {
    let server = Server::start(&[]).await;
    let stream = |client| Stream::new(client, "events").unwrap();
    let operator = stream(user(&server, "operator").await);
    operator
        .create(&Limits::new(1000, support::HOUR))
        .await
        .unwrap();
    let publisher = publisher(&stream(user(&server, "publisher").await)).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        let id = publisher.publish(&entry(&number.to_string())).await;
        ids.push(id.unwrap().to_string());
    }
    let again = entry("again").with_key("row-7").unwrap();
    let first = publisher.publish(&again).await.unwrap();
    assert_eq!(publisher.publish(&again).await.unwrap(), first);

    let node = stream(user(&server, "node").await);
    let engine = node.engine().await.unwrap();
    assert!(engine.warnings().is_empty());
    let relay = relay(&node, small()).await;
    let mut body = resume(&relay, &ids[0]).await.or_live(&reset());
    assert_eq!(data(&until(&mut body, "again").await).len(), 30);
    publisher.publish(&entry("live")).await.unwrap();
    assert_eq!(data(&until(&mut body, "live").await), ["live"]);
    // Also while the memory is full.
    let _: String = server.run(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let mut body = resume(&relay, &ids[1]).await.or_live(&reset());
    assert_eq!(data(&until(&mut body, "live").await).len(), 30);
    assert_eq!(relay.metrics().reconnections, 0);
    // And for nothing else.
    let other = Stream::new(user(&server, "publisher").await, "others").unwrap();
    assert!(other.engine().await.is_err());
}

#[tokio::test]
async fn what_forbids_one_command_never_lets_a_key_be_written_twice() {
    let server = Server::start(&[]).await;
    for command in ["get", "pexpire", "hmget", "xadd", "set", "xtrim", "hset"] {
        let _: i64 = server.run(&["DEL", "s", "{s}:sse:s"]).await;
        let stream = create(server.client()).await;
        // So that trimming is called for.
        let old = ["XADD", "s", "1-0", "v", "1"];
        let _: String = server.run(&old).await;
        let _: i64 = server.run(&["HSET", "{s}:sse:s", "last", "5"]).await;
        let publisher = publisher(&stream).await;
        let without = format!("-{command}");
        let _: String = server
            .run(&["ACL", "SETUSER", "default", "+@all", &without])
            .await;
        let publisher = publisher
            .with_retry_for(Duration::from_millis(100))
            .unwrap();
        let entry = entry("x").with_key(format!("key-{command}")).unwrap();
        let answers = [
            publisher.publish(&entry).await,
            publisher.publish(&entry).await,
        ];
        let len: u64 = server.run(&["XLEN", "s"]).await;
        let written = len - 1;
        assert!(written <= 1, "{command}: {written} entries");
        for answer in answers {
            match answer {
                Ok(_) => assert_eq!(written, 1, "{command}"),
                Err(PublishError::Refused(_)) => assert_eq!(written, 0, "{command}"),
                Err(PublishError::Unconfirmed { .. }) => {}
            }
        }
        let _: String = server.run(&["ACL", "SETUSER", "default", "+@all"]).await;
    }
    // And so it is if the limits have been damaged.
    let publisher = publisher(&Stream::new(server.client(), "s").unwrap()).await;
    let before: u64 = server.run(&["XLEN", "s"]).await;
    let _: i64 = server.run(&["HDEL", "{s}:sse:s", "age"]).await;
    assert!(publisher.publish(&entry("x")).await.is_err());
    let len: u64 = server.run(&["XLEN", "s"]).await;
    assert_eq!(len, before);
}

#[tokio::test]
async fn too_few_replicas_leave_a_publication_unconfirmed() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    // Redis answers after that time, and an answer has 2 s.
    let too_long = stream.clone().with_replicas(1, Duration::from_secs(2));
    assert!(matches!(too_long.engine().await, Err(Error::WaitTooLong)));
    let stream = stream.with_replicas(1, Duration::from_millis(50));
    let publisher = publisher(&stream).await;
    let publisher = publisher
        .with_retry_for(Duration::from_millis(200))
        .unwrap();
    let answer = publisher.publish(&entry("x")).await;
    let Err(PublishError::Unconfirmed { key, .. }) = answer else {
        panic!("{answer:?}")
    };
    let len: u64 = server.run(&["XLEN", "s"]).await;
    assert_eq!(len, 1);
    let replica = Server::start(&["--replicaof", "127.0.0.1", &server.port.to_string()]).await;
    let again = entry("x").with_key(key).unwrap();
    let publisher = publisher.with_retry_for(Duration::from_secs(10)).unwrap();
    publisher.publish(&again).await.unwrap();
    let len: u64 = replica.run(&["XLEN", "s"]).await;
    assert_eq!(len, 1);
}

#[tokio::test]
async fn a_publication_that_waits_for_replicas_holds_up_no_page() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let stream = stream.with_replicas(1, Duration::from_millis(1900));
    let engine = stream.engine().await.unwrap();
    let write = Write {
        key: "k".into(),
        tag: 1,
        fields: vec![(b"v".to_vec(), b"1".to_vec())],
    };
    let page = async {
        while server.run::<u64>(&["XLEN", "s"]).await == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        let limit = PageLimit {
            records: 10,
            bytes: 1000,
        };
        engine.read(Place::START, limit).await.unwrap()
    };
    tokio::select! {
        biased;
        written = engine.append(&write) => panic!("{written:?} before the page"),
        page = page => assert_eq!(page.records.len(), 1),
    }
}

#[tokio::test]
async fn publishers_trim_by_the_limits_and_keep_the_entry_before_the_newest() {
    let server = Server::start(&[]).await;
    let stream = Stream::new(server.client(), "s").unwrap();
    stream
        .create(&Limits::new(300, Duration::from_secs(30)))
        .await
        .unwrap();
    let publisher = publisher(&stream).await;
    for number in 0..600 {
        publisher
            .publish(&entry(&number.to_string()))
            .await
            .unwrap();
    }
    let len: u64 = server.run(&["XLEN", "s"]).await;
    assert!((300..=400).contains(&len), "{len}");
    // By age, too, of which an entry that is older than the newest one but one remains nothing.
    let old = Stream::new(server.client(), "old").unwrap();
    old.create(&Limits::new(1000, Duration::from_secs(30)))
        .await
        .unwrap();
    for number in 1..=300 {
        let id = format!("{number}-0");
        let _: String = server.run(&["XADD", "old", &id, "v", "1"]).await;
    }
    let by_age = support::publisher(&old).await;
    by_age.publish(&entry("x")).await.unwrap();
    let len: u64 = server.run(&["XLEN", "old"]).await;
    assert!(len <= 101, "{len}");
    assert!(publisher.with_retry_for(Duration::from_secs(16)).is_err());
}

#[tokio::test]
async fn a_stream_without_limits_keeps_everything() {
    let server = Server::start(&[]).await;
    let stream = Stream::new(server.client(), "s").unwrap();
    let limits = Limits::new(usize::MAX, Duration::MAX);
    stream.create(&limits).await.unwrap();
    let publisher = publisher(&stream).await;
    for number in 0..3 {
        let entry = entry(&number.to_string());
        publisher.publish(&entry).await.unwrap();
    }
    let len: u64 = server.run(&["XLEN", "s"]).await;
    assert_eq!(len, 3);
}

#[tokio::test]
async fn large_entries_come_through_a_slow_link_in_smaller_parts() {
    let server = Server::start(&[]).await;
    let publisher = publisher(&create(server.client()).await).await;
    for _ in 0..20 {
        let entry = entry(&"x".repeat(300 << 10));
        publisher.publish(&entry).await.unwrap();
    }
    let proxy = Proxy::start(server.port).await;
    let stream = Stream::new(support::client(proxy.port), "s").unwrap();
    let engine = stream.engine().await.unwrap();
    // All of them take longer than an answer may.
    proxy.set(Link::Slow(30));
    let limit = PageLimit {
        records: 20,
        bytes: 32 << 20,
    };
    let mut tries = 0;
    let page = loop {
        match engine.read(Place::START, limit).await {
            Ok(page) => break page,
            Err(_) if tries < 3 => tries += 1,
            Err(error) => panic!("{error}"),
        }
    };
    assert!((2..20).contains(&page.records.len()));
}

#[tokio::test]
async fn a_drain_ends_all_streams_and_the_node_is_not_ready() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let relay = relay(&stream, Options::new()).await;
    let (mut one, mut two) = (live(&relay).await, live(&relay).await);
    relay.drain(Duration::from_millis(100));
    assert_eq!(relay.readiness(), Readiness::Draining);
    assert_eq!(
        (end(&mut one).await, end(&mut two).await),
        (String::new(), String::new())
    );
}

#[tokio::test]
async fn a_node_that_is_cut_off_serves_its_log_and_catches_up_without_a_telling() {
    let server = Server::start(&[]).await;
    let direct = create(server.client()).await;
    let proxy = Proxy::start(server.port).await;
    let stream = Stream::new(support::client(proxy.port), "s").unwrap();
    let options = Options::new()
        .with_stale_after(Duration::from_secs(2))
        .with_patience(Duration::from_millis(200));
    let (cut, publisher) = (relay(&stream, options).await, publisher(&direct).await);
    let mut body = live(&cut).await;
    let first = publisher
        .publish(&entry("first"))
        .await
        .unwrap()
        .to_string();
    until(&mut body, "first").await;

    proxy.set(Link::Down);
    let second = publisher
        .publish(&entry("second"))
        .await
        .unwrap()
        .to_string();
    eventually("stale", || matches!(cut.readiness(), Readiness::Stale(_))).await;
    // What it has, it serves; who comes with more comes back.
    assert!(matches!(resume(&cut, &first).await, Subscribed::Resumed(_)));
    assert!(cut.subscribe(&all(), event_id(&second)).await.is_err());

    proxy.set(Link::Up);
    publisher.publish(&entry("third")).await.unwrap();
    // After the event that says that the node is stale.
    let text = until(&mut body, "third").await;
    assert!(text.starts_with("event: stale\n"));
    assert_eq!(data(&text), ["", "second", "third"]);
    let mut body = resume(&cut, &second).await.or_live(&reset());
    assert_eq!(data(&until(&mut body, "third").await), ["third"]);
    eventually("ready", || cut.ready()).await;
    let metrics = cut.metrics();
    assert_eq!(
        (
            metrics.resets,
            metrics.rewinds,
            metrics.gaps,
            metrics.unknown
        ),
        (0, 0, 0, 0)
    );
}

#[tokio::test]
async fn a_client_before_an_entry_for_others_and_a_newer_one_learns_its_place() {
    let server = Server::start(&[]).await;
    let stream = create(server.client()).await;
    let publisher = publisher(&stream).await;
    let first = publisher
        .publish(&entry("first"))
        .await
        .unwrap()
        .to_string();
    let others = entry("for others").with_topic("others").unwrap();
    let others = publisher.publish(&others).await.unwrap().to_string();
    let _: String = server.run(&["XADD", "s", "*", "v", "2", "data", "x"]).await;
    let relay = relay(&stream, Options::new()).await;
    let mut body = resume(&relay, &first).await.or_live(&reset());
    assert_eq!(
        end(&mut body).await,
        format!("event: place\nid: {others}\ndata: \n\n")
    );
    assert!(matches!(resume(&relay, &others).await, Subscribed::Gap(_)));
}
