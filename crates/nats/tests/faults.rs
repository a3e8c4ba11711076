//! What becomes of clients and publications when JetStream fails, on a real nats-server.

mod support;

use std::ops::Range;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use sse_proto::broadcast::SubscribeOptions;
use sse_proto_nats::async_nats::ConnectOptions;
use sse_proto_nats::{
    Body, Error, Id, Limits, Options, PublishError, Publisher, Readiness, Refusal, Relay, Setting,
    Stream, Subscribed, Warning, WhenStale,
};
use sse_proto_relay::{Engine, Follower, Page, PageLimit, Rule};
use sse_proto_testing::{
    HOUR, Link, Proxy, all, cut_off, end, entry, event_id, eventually, free_port, reset, until,
};
use support::{Server, certificate, cluster, create, publisher, relay, stream};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

/// Returns the data of events, without those that tell that a node is stale. Whether one is told depends
/// on the time.
fn data(text: &str) -> Vec<&str> {
    let mut data = sse_proto_testing::data(text);
    data.retain(|data| !data.is_empty());
    data
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
    let stream = create(&server).await;
    let (one, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&one).await;
    let first = publisher.publish(&entry("first")).await.unwrap();
    assert_eq!(first.place.seq, 1);
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
    let stream = create(&server).await;
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
    let stream = create(&server).await;
    let one = relay(&stream, Options::new()).await;
    let origin = one.broadcast().last_event_id().unwrap().to_string();
    assert!(origin.starts_with("0-0-"), "{origin}");
    let publisher = publisher(&stream).await;
    publish(&publisher, 0..30).await;
    let two = relay(&stream, small()).await;
    let subscribed = resume(&two, &origin).await;
    assert!(
        matches!(subscribed, Subscribed::Resumed(_)),
        "{subscribed:?}"
    );
    let text = until(&mut subscribed.or_live(&reset()), "29").await;
    assert_eq!(data(&text).len(), 30);
    // Once something was removed, nobody knows what the client lacks.
    server.trim(29).await;
    let three = relay(&stream, small()).await;
    assert!(matches!(resume(&three, &origin).await, Subscribed::Gap(_)));
    assert_eq!(one.metrics().resets, 0);
    server.run("STREAM.PURGE.s", Value::Null).await;
    let four = relay(&stream, small()).await;
    assert!(matches!(resume(&four, &origin).await, Subscribed::Gap(_)));
}

/// Publishes numbers, and returns their ids.
async fn publish(publisher: &Publisher, numbers: Range<u32>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        let id = publisher.publish(&entry(&number.to_string())).await;
        ids.push(id.unwrap().to_string());
    }
    ids
}

#[tokio::test]
async fn a_reply_that_is_lost_after_the_write_writes_no_second_entry() {
    let server = Server::start(&[]).await;
    let direct = create(&server).await;
    let proxy = Proxy::start(server.port).await;
    let stream = stream(proxy.port);
    for (rule, written) in [(None, 2), (Some(Rule::SameKey), 5)] {
        let publisher = publisher(&stream).await.with_broken(rule);
        // After this no reply to a ping is on its way.
        publisher.publish(&entry("before")).await.unwrap();
        proxy.set(Link::LoseReply);
        let id = publisher.publish(&entry("once")).await.unwrap();
        assert_eq!(server.len().await, written, "{rule:?}");
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
    let mut server = Server::start(&[]).await;
    let publisher = publisher(&create(&server).await).await;
    let entry = entry("x").with_key("row-7").unwrap();
    let first = publisher.publish(&entry).await.unwrap();
    assert_eq!(publisher.publish(&entry).await.unwrap(), first);
    // What a server remembers, it reads again when it starts.
    server.kill();
    server.restart().await;
    assert_eq!(publisher.publish(&entry).await.unwrap(), first);
    assert_eq!(server.len().await, 1);
}

#[tokio::test]
async fn a_stopped_engine_makes_the_node_stale_and_publications_unconfirmed() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let options = Options::new()
        .with_stale_after(Duration::from_secs(2))
        .with_when_stale(WhenStale::Tell(
            sse_proto::EventType::from_static("stale"),
            "".into(),
        ))
        .with_patience(Duration::from_millis(800));
    let relay = relay(&stream, options).await;
    let publisher = publisher(&stream).await;
    let publisher = publisher.with_retry_for(Duration::from_secs(1)).unwrap();
    let mut body = live(&relay).await;
    let before = publisher.publish(&entry("before")).await.unwrap();
    until(&mut body, "before").await;

    server.signal("-STOP");
    // That an idle reader hears nothing proves nothing.
    let other = Id {
        tag: !before.tag,
        ..before
    };
    let busy = relay.subscribe(&all(), other.to_event_id()).await;
    assert!(busy.is_err(), "{busy:?}");
    let answer = publisher.publish(&entry("stopped")).await;
    let Err(PublishError::Unconfirmed { key, .. }) = answer else {
        panic!("{answer:?}")
    };
    eventually("stale", || matches!(relay.readiness(), Readiness::Stale(_))).await;
    let busy = relay.subscribe(&all(), event_id("5-9-00000000")).await;
    assert!(busy.unwrap_err().retry_after() > Duration::ZERO);

    server.signal("-CONT");
    let again = entry("stopped").with_key(key).unwrap();
    publisher.publish(&again).await.unwrap();
    publisher.publish(&entry("after")).await.unwrap();
    assert_eq!(data(&until(&mut body, "after").await), ["stopped", "after"]);
    eventually("ready", || relay.ready()).await;
    assert_eq!((relay.metrics().rewinds, relay.metrics().resets), (0, 0));
}

#[tokio::test]
async fn an_engine_that_is_killed_and_comes_back_goes_on_without_a_telling() {
    let mut server = Server::start(&[]).await;
    let stream = create(&server).await;
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    for number in 0..3 {
        publish(&publisher, number..number + 1).await;
        until(&mut body, &number.to_string()).await;
        server.kill();
        server.restart().await;
    }
    publish(&publisher, 3..4).await;
    until(&mut body, "3").await;
    eventually("ready", || relay.ready()).await;
    let metrics = relay.metrics();
    assert_eq!((metrics.rewinds, metrics.resets, metrics.gaps), (0, 0, 0));
    assert!(metrics.reconnections >= 3);
}

#[tokio::test]
async fn a_full_engine_refuses_and_has_written_nothing() {
    let server = Server::with_config("jetstream { max_file: 20000 }").await;
    let stream = create(&server).await;
    let publisher = publisher(&stream).await;
    // The server looks at what it has, not at what it gets.
    let fills = entry(&"x".repeat(30_000));
    publisher.publish(&fills).await.unwrap();
    let answer = publisher.publish(&entry("x")).await;
    let Err(PublishError::Refused(Refusal::Engine(Error::Refused { err_code, .. }))) = answer
    else {
        panic!("{answer:?}")
    };
    // Insufficient resources, storage exceeded.
    assert!([10023, 10047].contains(&err_code), "{err_code}");
    assert_eq!(server.len().await, 1);
    let large = publisher.publish(&entry(&"x".repeat(512 << 10))).await;
    assert!(matches!(
        large,
        Err(PublishError::Refused(Refusal::TooLarge { .. }))
    ));
}

#[tokio::test]
async fn an_entry_of_the_greatest_length_comes_live_and_from_history_and_no_larger_one() {
    let server = Server::start(&[]).await;
    let stream = server.stream();
    // All that the server takes.
    let most = (1 << 20) - 768;
    let limits = Limits::new(1000, HOUR).with_max_entry_len(most);
    stream.create(&limits).await.unwrap();
    assert_eq!(stream.engine().await.unwrap().limits(), &limits);
    let publisher = publisher(&stream).await;
    let whole = relay(&stream, Options::new()).await;
    let mut body = live(&whole).await;
    let first = publish(&publisher, 0..1).await.remove(0);
    let mut large = entry("").with_topic("t".repeat(256)).unwrap();
    let mut len = most - 512;
    // The greatest that is taken, to the byte.
    loop {
        let next = entry(&"x".repeat(len)).with_key("k".repeat(128)).unwrap();
        match publisher
            .publish(&next.with_topic("t".repeat(256)).unwrap())
            .await
        {
            Ok(_) => break,
            Err(PublishError::Refused(Refusal::TooLarge { len: was, limit })) => {
                assert_eq!(limit, most);
                len -= was - limit;
            }
            Err(error) => panic!("{error}"),
        }
        large = entry(&"x".repeat(len));
    }
    drop(large);
    publish(&publisher, 1..9).await;
    until(&mut body, "8").await;
    let topics = SubscribeOptions::new().with_topics(["t".repeat(256)]);
    let small = relay(&stream, small()).await;
    let subscribed = small.subscribe(&topics, event_id(&first)).await.unwrap();
    let text = until(&mut subscribed.or_live(&reset()), "8").await;
    assert!(text.len() > len && small.metrics().pages > 0);
}

#[tokio::test]
async fn a_stream_that_is_deleted_and_made_again_ends_clients_and_tells_them() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let options = Options::new().with_stale_after(Duration::from_secs(2));
    let (relay, publisher) = (relay(&stream, options).await, publisher(&stream).await);
    let mut body = live(&relay).await;
    let id = publish(&publisher, 0..1).await.remove(0);
    until(&mut body, "0").await;

    server.run("STREAM.DELETE.s", Value::Null).await;
    let answer = publisher.publish(&entry("x")).await;
    let no_stream = matches!(
        answer,
        Err(PublishError::Refused(Refusal::Engine(Error::NoStream)))
    );
    assert!(no_stream, "{answer:?}");
    assert_eq!(
        server.call("STREAM.INFO.s", Value::Null).await["error"]["err_code"],
        10059
    );
    eventually("stale", || !relay.ready()).await;

    stream.create(&Limits::new(1000, HOUR)).await.unwrap();
    end(&mut body).await;
    let subscribed = resume(&relay, &id).await;
    assert!(
        matches!(subscribed, Subscribed::Unknown(_) | Subscribed::Gap(_)),
        "{subscribed:?}"
    );
    let mut body = subscribed.or_live(&reset());
    publish(&publisher, 1..2).await;
    assert_eq!(data(&until(&mut body, "1").await), ["told", "1"]);
    eventually("ready", || relay.ready()).await;
}

#[tokio::test]
async fn a_publication_into_a_stream_that_is_gone_is_refused_and_not_tried_again() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let publisher = publisher(&stream).await;
    server.run("STREAM.DELETE.s", Value::Null).await;
    let makes = async {
        sleep(Duration::from_secs(1)).await;
        stream.create(&Limits::new(1000, HOUR)).await.unwrap();
    };
    let entry = entry("x");
    let (answer, ()) = tokio::join!(publisher.publish(&entry), makes);
    let refused = || Err(PublishError::Refused(Refusal::Engine(Error::NoStream)));
    assert_eq!(answer, refused());
    assert_eq!(server.len().await, 0);
    // Another stream takes its subject.
    server.run("STREAM.DELETE.s", Value::Null).await;
    let other = json!({ "name": "other", "subjects": ["s"] });
    server.run("STREAM.CREATE.other", other).await;
    assert_eq!(publisher.publish(&entry).await, refused());
    let other = server.run("STREAM.INFO.other", Value::Null).await;
    assert_eq!(other["state"]["messages"], 0);
}

#[tokio::test]
async fn a_stream_that_is_made_again_at_once_with_the_same_settings_is_another() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let origin = relay.broadcast().last_event_id().unwrap().to_string();
    let mut body = live(&relay).await;
    let ids = publish(&publisher, 0..3).await;
    until(&mut body, "2").await;

    let config = server.info().await["config"].clone();
    server.run("STREAM.DELETE.s", Value::Null).await;
    server.run("STREAM.CREATE.s", config).await;
    // As many entries as before, and the sequence numbers are equal.
    publish(&publisher, 3..6).await;
    end(&mut body).await;
    for id in [&origin, &ids[0], &ids[2]] {
        let told = resume(&relay, id).await;
        assert!(
            matches!(told, Subscribed::Unknown(_) | Subscribed::Gap(_)),
            "{told:?}"
        );
    }
    assert_eq!(relay.metrics().resets, 1);
}

#[tokio::test]
async fn a_reader_that_trimming_or_a_purge_in_the_middle_has_passed_tells_its_clients() {
    for is_trimmed in [true, false] {
        let server = Server::start(&[]).await;
        let direct = create(&server).await;
        let proxy = Proxy::start(server.port).await;
        let (relay, publisher) = (
            relay(&stream(proxy.port), Options::new()).await,
            publisher(&direct).await,
        );
        let mut body = live(&relay).await;
        let id = publish(&publisher, 0..1).await.remove(0);
        until(&mut body, "0").await;

        proxy.set(Link::Down);
        publish(&publisher, 1..21).await;
        if is_trimmed {
            server.trim(3).await;
        } else {
            server.delete(18).await;
            server.delete(5).await;
        }
        proxy.set(Link::Up);
        assert_eq!(end(&mut body).await, "");
        let subscribed = resume(&relay, &id).await;
        assert!(matches!(subscribed, Subscribed::Gap(_)), "{subscribed:?}");
        let text = {
            let mut body = subscribed.or_oldest(&reset());
            until(&mut body, "20").await
        };
        assert_eq!(data(&text), ["told", "18", "19", "20"]);
        assert_eq!(relay.metrics().resets, 1);
    }
}

/// Runs the server on an older copy of its folder, on which it has written other entries.
#[tokio::test]
async fn an_older_copy_with_equal_or_lower_sequences_ends_those_who_saw_what_is_lost() {
    for new in [2, 1, 3] {
        let mut server = Server::start(&[]).await;
        let direct = create(&server).await;
        let proxy = Proxy::start(server.port).await;
        let publisher = publisher(&direct).await;
        let mut ids = publish(&publisher, 0..2).await;
        server.stop().await;
        let copy = server.copy();
        server.restart().await;
        ids.extend(publish(&publisher, 2..4).await);
        let relay = relay(&stream(proxy.port), Options::new()).await;
        let mut saw_all = resume(&relay, &ids[3]).await.or_live(&reset());

        proxy.set(Link::Down);
        server.kill();
        server.put_back(&copy);
        server.restart().await;
        let last = publish(&publisher, 10..10 + new).await.pop().unwrap();
        proxy.set(Link::Up);
        assert_eq!(end(&mut saw_all).await, "", "{new}");
        eventually("the new head", || {
            let head = relay.broadcast().last_event_id();
            head.is_some_and(|id| id == event_id(&last))
        })
        .await;
        // Who saw what is lost is told; who did not goes on.
        for id in &ids[2..] {
            let told = resume(&relay, id).await;
            assert!(matches!(told, Subscribed::Unknown(_)), "{new} {told:?}");
        }
        let mut body = resume(&relay, &ids[1]).await.or_live(&reset());
        let text = until(&mut body, &(9 + new).to_string()).await;
        assert_eq!(data(&text).len(), new as usize);
        assert_eq!((relay.metrics().rewinds, relay.metrics().resets), (1, 0));
    }
}

#[tokio::test]
async fn the_last_entry_that_was_trimmed_is_a_gap_and_the_first_that_is_there_is_none() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let publisher = publisher(&stream).await;
    let ids = publish(&publisher, 0..40).await;
    let correct = relay(&stream, small()).await;
    // Asked first, before its reader learns from a check what was trimmed.
    let broken = relay(&stream, small().with_broken(Some(Rule::InclusiveRead))).await;
    server.trim(30).await;
    for (relay, is_gap) in [(broken, false), (correct, true)] {
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
        "99999999999999-99-00000000".to_owned(),
    ] {
        let subscribed = resume(&relay, &id).await;
        assert!(
            matches!(subscribed, Subscribed::Unknown(_)),
            "{id} {subscribed:?}"
        );
    }
}

#[tokio::test]
async fn an_entry_that_is_missing_from_a_page_is_a_gap() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let publisher = publisher(&stream).await;
    let ids = publish(&publisher, 0..40).await;
    let reads = relay(&stream, small()).await;
    // The sequence number of `ids[20]`.
    server.delete(21).await;
    // Some pages before it, a client goes on as far as it can.
    let mut body = resume(&reads, &ids[10]).await.or_live(&reset());
    let text = end(&mut body).await;
    let last = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("id: "));
    let seen = data(&text).len();
    assert!((1..10).contains(&seen), "{text}");
    assert_eq!(last, Some(&*ids[10 + seen]));
    // Another node knows it from its start.
    let starts = relay(&stream, small()).await;
    for relay in [reads, starts] {
        for id in [last.unwrap(), &ids[19], &ids[20]] {
            let subscribed = resume(&relay, id).await;
            assert!(matches!(subscribed, Subscribed::Gap(_)), "{subscribed:?}");
        }
        let after = resume(&relay, &ids[21]).await;
        let text = until(&mut after.or_live(&reset()), "39").await;
        assert_eq!(data(&text).len(), 18);
    }
}

#[tokio::test]
async fn a_page_has_the_entries_that_were_asked_for_and_at_least_two() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let publisher = publisher(&stream).await;
    let ids: Vec<_> = publish(&publisher, 0..3).await;
    for _ in 0..3 {
        publisher.publish(&entry(&"x".repeat(400))).await.unwrap();
    }
    let engine = stream.engine().await.unwrap();
    let mut follower = engine.follow().await.unwrap();
    let place = |id: &String| sse_proto_relay::Id::parse(id).unwrap().place;
    for (from, records, bytes, forwards, backwards) in [
        (0, 100, 1 << 20, &[1, 2, 3, 4, 5, 6][..], &[1][..]),
        (1, 3, 1 << 20, &[2, 3, 4], &[2, 1]),
        (2, 1, 1 << 20, &[3, 4], &[3, 2]),
        // The last of the large ones is one too many.
        (2, 100, 1100, &[3, 4, 5], &[3, 2, 1]),
    ] {
        let (from, limit) = (place(&ids[from]), PageLimit { records, bytes });
        let seqs = |page: Page| -> Vec<_> {
            let records = page.records.iter();
            records.map(|record| record.place.seq).collect()
        };
        // A new engine has not learned how long the entries are.
        let read = stream.engine().await.unwrap().read(from, limit).await;
        assert_eq!(seqs(read.unwrap()), forwards);
        let read = follower.read_back(Some(from), limit).await;
        assert_eq!(seqs(read.unwrap()), backwards);
    }
}

#[tokio::test]
async fn a_page_that_trimming_overtakes_ends_the_stream_and_the_client_is_told() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let publisher = publisher(&stream).await;
    let first = publish(&publisher, 0..41).await.remove(0);
    let relay = relay(&stream, small()).await;
    let mut body = resume(&relay, &first).await.or_live(&reset());
    let text = until(&mut body, "2").await;
    assert_eq!(data(&text), ["1", "2"]);
    server.trim(20).await;
    // A page in hand serves for a second.
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(end(&mut body).await, "");
}

const NEWER: &str = "v 1\n2\ndata 1\nx\n";

#[tokio::test]
async fn poison_is_a_place_and_a_newer_entry_is_told_and_makes_the_node_not_ready() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    let first = publish(&publisher, 0..1).await.remove(0);
    // What other programs write.
    server.put("v 1\n1\ndata 5\nhello\n").await;
    server.put("what ever").await;
    let second = publish(&publisher, 1..2).await.remove(0);
    assert_eq!(data(&until(&mut body, "1").await), ["0", "hello", "1"]);
    assert_eq!(relay.metrics().poison, 1);
    assert!(relay.ready());

    server.put(NEWER).await;
    end(&mut body).await;
    assert_eq!(relay.readiness(), Readiness::Unreadable);
    // What is before it still comes.
    let mut body = resume(&relay, &first).await.or_live(&reset());
    assert_eq!(data(&end(&mut body).await), ["hello", "1"]);
    let subscribed = resume(&relay, &second).await;
    assert!(matches!(subscribed, Subscribed::Gap(_)), "{subscribed:?}");
    let mut body = subscribed.or_live(&reset());
    publish(&publisher, 2..3).await;
    assert_eq!(data(&until(&mut body, "2").await), ["told", "2"]);
}

/// Headers that the client cannot read, or takes for a status, end its connection or are skipped.
#[tokio::test]
async fn poison_in_the_headers_is_a_place_and_stops_nobody() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    let mut number = 0;
    let mut first = String::new();
    for headers in [
        &b"NATS/1.0\r\nno colon\r\n\r\n"[..],
        b"NATS/1.0\r\na: \xFF\r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
        b"NATS/1.0 408 Request Timeout\r\n\r\n",
        b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
    ] {
        server.put_raw(headers, b"hello").await;
        let id = publish(&publisher, number..number + 1).await.remove(0);
        if number == 0 {
            first = id;
        }
        let text = until(&mut body, &number.to_string()).await;
        assert_eq!(data(&text), [number.to_string()]);
        number += 1;
        assert_eq!(relay.metrics().poison, u64::from(number));
    }
    assert_eq!((relay.metrics().rewinds, relay.metrics().resets), (0, 0));
    // Within a page of many entries, and one of few.
    publish(&publisher, number..number + 20).await;
    let cold = self::relay(&stream, Options::new()).await;
    assert_eq!(cold.metrics().poison, 6);
    for page in [100, 3] {
        let pages = Options::new().with_sizes(8, 4, page);
        let pages = self::relay(&stream, pages).await;
        let mut body = resume(&pages, &first).await.or_live(&reset());
        let text = until(&mut body, &(number + 19).to_string()).await;
        assert_eq!(data(&text).len(), 6 - 1 + 20);
    }
}

#[tokio::test]
async fn a_consumer_that_somebody_deletes_is_made_again_and_nobody_is_told() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    publish(&publisher, 0..1).await;
    until(&mut body, "0").await;
    let names = server.run("CONSUMER.NAMES.s", Value::Null).await;
    let [name] = &**names["consumers"].as_array().unwrap() else {
        panic!("{names}")
    };
    let name = name.as_str().unwrap();
    server
        .run(&format!("CONSUMER.DELETE.s.{name}"), Value::Null)
        .await;
    publish(&publisher, 1..2).await;
    until(&mut body, "1").await;
    assert_eq!((relay.metrics().rewinds, relay.metrics().resets), (0, 0));
}

#[tokio::test]
async fn open_refuses_what_cannot_hold_the_promise() {
    let server = Server::start(&[]).await;
    let stream = server.stream();
    assert_eq!(stream.engine().await.unwrap_err(), Error::NoStream);
    server
        .run("STREAM.CREATE.s", json!({ "name": "s", "subjects": ["s"] }))
        .await;
    assert_eq!(stream.engine().await.unwrap_err(), Error::NoStream);
    let limits = Limits::new(1000, HOUR);
    assert_eq!(stream.create(&limits).await, Err(Error::Exists));
    server.run("STREAM.DELETE.s", Value::Null).await;
    for limits in [
        Limits::new(1, HOUR),
        Limits::new(9, Duration::from_secs(29)),
        limits.clone().with_max_entry_len(1023),
        limits
            .clone()
            .with_max_entry_len(10_000)
            .with_max_bytes(21_000),
    ] {
        assert_eq!(stream.create(&limits).await, Err(Error::LimitsTooLow));
    }
    stream.create(&limits).await.unwrap();
    assert_eq!(stream.create(&limits).await, Err(Error::Exists));
    let engine = stream.engine().await.unwrap();
    assert_eq!(
        (engine.limits(), engine.warnings()),
        (&limits, &[Warning::LosesAtCrash][..])
    );
    let too_small = Options::new().with_retention(999, 1 << 20);
    assert!(Relay::open(engine, too_small).await.is_err());

    let config = server.info().await["config"].clone();
    let source = json!({ "name": "other" });
    let newer = config["description"]
        .as_str()
        .unwrap()
        .replace(" 1 ", " 2 ");
    let second: u64 = 1_000_000_000;
    for (field, value, error) in [
        (
            "retention",
            json!("workqueue"),
            Error::Unfit(Setting::Retention),
        ),
        (
            "retention",
            json!("interest"),
            Error::Unfit(Setting::Retention),
        ),
        ("mirror", source.clone(), Error::Unfit(Setting::Subjects)),
        ("sources", json!([source]), Error::Unfit(Setting::Copied)),
        ("subjects", json!(["s.*"]), Error::Unfit(Setting::Subjects)),
        (
            "subjects",
            json!(["s", "t"]),
            Error::Unfit(Setting::Subjects),
        ),
        (
            "max_msgs_per_subject",
            json!(5),
            Error::Unfit(Setting::PerSubject),
        ),
        (
            "max_msg_size",
            json!(1700),
            Error::Unfit(Setting::MessageSize),
        ),
        ("discard", json!("new"), Error::Unfit(Setting::DiscardsNew)),
        ("no_ack", json!(true), Error::Unfit(Setting::NoAck)),
        (
            "duplicate_window",
            json!(29 * second),
            Error::Unfit(Setting::DuplicateWindow),
        ),
        ("max_msgs", json!(1), Error::LimitsTooLow),
        ("max_bytes", json!(1000), Error::LimitsTooLow),
        ("description", json!(newer), Error::Newer),
        ("description", json!("sse-proto 1 "), Error::NoStream),
        ("description", json!("what ever"), Error::NoStream),
    ] {
        server.run("STREAM.DELETE.s", Value::Null).await;
        let mut config = config.clone();
        config[field] = value;
        if field == "mirror" {
            config["subjects"] = json!([]);
        }
        server.run("STREAM.CREATE.s", config).await;
        assert_eq!(stream.engine().await.unwrap_err(), error, "{field}");
    }
    server.run("STREAM.DELETE.s", Value::Null).await;
    stream.create(&limits).await.unwrap();
    let mut sealed = config.clone();
    sealed["sealed"] = json!(true);
    server.run("STREAM.UPDATE.s", sealed).await;
    assert_eq!(
        stream.engine().await.unwrap_err(),
        Error::Unfit(Setting::Sealed)
    );
    server.run("STREAM.DELETE.s", Value::Null).await;
    let mut memory = config;
    memory["storage"] = json!("memory");
    server.run("STREAM.CREATE.s", memory).await;
    let engine = stream.engine().await.unwrap();
    assert_eq!(engine.warnings(), [Warning::Memory, Warning::LosesAtCrash]);
}

#[tokio::test]
async fn a_stream_without_direct_access_is_published_into_by_its_leader_alone() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let mut config = server.info().await["config"].clone();
    assert_eq!(config["allow_direct"], true);
    // Of this the publisher does not know.
    let was_open = publisher(&stream).await;
    config["allow_direct"] = json!(false);
    server.run("STREAM.UPDATE.s", config).await;
    let client = server.client().await;
    let mut asked = client.subscribe("$JS.API.DIRECT.GET.s").await.unwrap();
    client.flush().await.unwrap();
    publish(&was_open, 0..3).await;
    // It was asked once in vain.
    assert!(asked.next().await.is_some());
    client.flush().await.unwrap();
    assert!(asked.next().now_or_never().is_none());
    let ids = publish(&publisher(&stream).await, 3..6).await;
    let relay = relay(&stream, Options::new()).await;
    let resumed = resume(&relay, &ids[0]).await;
    assert!(matches!(resumed, Subscribed::Resumed(_)), "{resumed:?}");
}

#[tokio::test]
async fn names_and_addresses_are_checked() {
    let new = |servers: &str, name: &str| Stream::new(ConnectOptions::new(), servers, name);
    for name in ["", "a.b", "a b", "a*", "ä", &"x".repeat(201)] {
        assert_eq!(new("127.0.0.1", name).unwrap_err(), Error::InvalidName);
    }
    assert_eq!(new("http://", "s").unwrap_err(), Error::InvalidAddress);
    let none = new(&format!("127.0.0.1:{}", free_port()), "s").unwrap();
    assert_eq!(none.engine().await.unwrap_err(), Error::Disconnected);
}

#[tokio::test]
async fn the_server_trims_by_the_limits() {
    let server = Server::start(&[]).await;
    let stream = server.stream();
    let limits = Limits::new(30, Duration::from_secs(30));
    stream.create(&limits).await.unwrap();
    let publisher = publisher(&stream).await;
    publish(&publisher, 0..60).await;
    assert_eq!(server.len().await, 30);
    assert!(publisher.with_retry_for(Duration::from_secs(16)).is_err());
    let unlimited = Limits::new(u64::MAX, Duration::MAX).with_max_bytes(1 << 30);
    let other = Stream::new(ConnectOptions::new(), server.url(), "other").unwrap();
    other.create(&unlimited).await.unwrap();
    assert_eq!(other.engine().await.unwrap().limits(), &unlimited);
}

#[tokio::test]
async fn a_node_that_is_cut_off_serves_its_log_and_catches_up_without_a_telling() {
    let server = Server::start(&[]).await;
    let direct = create(&server).await;
    let proxy = Proxy::start(server.port).await;
    let options = Options::new()
        .with_stale_after(Duration::from_secs(2))
        .with_patience(Duration::from_millis(200));
    let (cut, publisher) = (
        relay(&stream(proxy.port), options).await,
        publisher(&direct).await,
    );
    let mut body = live(&cut).await;
    let first = publish(&publisher, 0..1).await.remove(0);
    until(&mut body, "0").await;

    proxy.set(Link::Down);
    let second = publish(&publisher, 1..2).await.remove(0);
    eventually("stale", || matches!(cut.readiness(), Readiness::Stale(_))).await;
    // What it has, it serves; who comes with more comes back.
    assert!(matches!(resume(&cut, &first).await, Subscribed::Resumed(_)));
    assert!(cut.subscribe(&all(), event_id(&second)).await.is_err());

    proxy.set(Link::Up);
    publish(&publisher, 2..3).await;
    assert_eq!(data(&until(&mut body, "2").await), ["1", "2"]);
    let mut body = resume(&cut, &second).await.or_live(&reset());
    assert_eq!(data(&until(&mut body, "2").await), ["2"]);
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
async fn one_node_is_cut_off_for_a_minute_and_then_all_of_them() {
    let server = Server::start(&[]).await;
    let direct = create(&server).await;
    let open = async |port, options| relay(&stream(port), options).await;
    cut_off(server.port, publisher(&direct).await, open).await;
}

#[tokio::test]
async fn a_reader_far_behind_gets_every_entry_once() {
    let server = Server::start(&[]).await;
    let direct = create(&server).await;
    let proxy = Proxy::start(server.port).await;
    let (cut, publisher) = (
        relay(&stream(proxy.port), Options::new()).await,
        publisher(&direct).await,
    );
    let mut body = live(&cut).await;
    publish(&publisher, 0..1).await;
    proxy.set(Link::Down);
    let publishing = (1..8000).map(|number| {
        let publisher = &publisher;
        async move {
            publisher
                .publish(&entry(&number.to_string()))
                .await
                .unwrap()
        }
    });
    let ids: Vec<_> = futures_util::stream::iter(publishing)
        .buffer_unordered(100)
        .collect()
        .await;
    let last = ids.iter().max_by_key(|id| id.place.seq).unwrap();
    proxy.set(Link::Up);
    publish(&publisher, 8000..8001).await;
    let text = until(&mut body, "8000").await;
    assert_eq!(data(&text).len(), 8001);
    let mut seqs = text.lines().filter_map(|line| line.strip_prefix("id: "));
    assert!(seqs.all(|id| id.contains('-')) && text.contains(&last.to_string()));
    assert_eq!((cut.metrics().rewinds, cut.metrics().resets), (0, 0));
}

#[tokio::test]
async fn a_cluster_that_loses_the_leader_of_the_stream_goes_on_without_a_telling() {
    let mut servers = cluster().await;
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    let stream = Stream::new(ConnectOptions::new(), urls, "s").unwrap();
    let limits = Limits::new(1000, HOUR).with_replicas(3);
    while let Err(error) = stream.create(&limits).await {
        assert_ne!(error, Error::Exists);
        sleep(Duration::from_millis(100)).await;
    }
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let publisher = publisher.with_retry_for(Duration::from_secs(15)).unwrap();
    let mut body = live(&relay).await;
    publish(&publisher, 0..10).await;
    until(&mut body, "9").await;

    let leader = servers[0].info().await["cluster"]["leader"].clone();
    let number: usize = leader.as_str().unwrap()[1..].parse().unwrap();
    servers[number].kill();
    let ids = publish(&publisher, 10..30).await;
    let text = until(&mut body, "29").await;
    let numbers: Vec<_> = (10..30).map(|number| number.to_string()).collect();
    assert_eq!(data(&text), numbers);
    let other = self::relay(&stream, small()).await;
    let mut body = resume(&other, &ids[2]).await.or_live(&reset());
    assert_eq!(data(&until(&mut body, "29").await).len(), 17);
    eventually("ready", || relay.ready()).await;
    let metrics = relay.metrics();
    assert_eq!((metrics.rewinds, metrics.resets, metrics.gaps), (0, 0, 0));
    assert_eq!(servers[(number + 1) % 3].len().await, 30);
}

/// The permissions that the README names.
const PERMISSIONS: &str = r#"
authorization {
    users: [
        { user: "maker", password: "m", permissions: {
            publish: ["$JS.API.STREAM.CREATE.s"],
            subscribe: ["_INBOX.>"] } }
        { user: "node", password: "n", permissions: {
            publish: ["$JS.API.STREAM.INFO.s", "$JS.API.STREAM.MSG.GET.s",
                "$JS.API.CONSUMER.CREATE.s", "$JS.API.CONSUMER.MSG.NEXT.s.*"],
            subscribe: ["_INBOX.>"] } }
        { user: "publisher", password: "p", permissions: {
            publish: ["s", "$JS.API.STREAM.INFO.s", "$JS.API.STREAM.MSG.GET.s",
                "$JS.API.DIRECT.GET.s"],
            subscribe: ["_INBOX.>"] } }
    ]
}
"#;

#[tokio::test]
async fn users_need_few_permissions_and_tls_passes_through() {
    let certificate = certificate();
    let dir = certificate.display();
    let tls = format!("tls {{ cert_file: \"{dir}/cert.pem\", key_file: \"{dir}/key.pem\" }}");
    let server = Server::without_wait(&format!("{PERMISSIONS}{tls}"));
    let url = format!("tls://localhost:{}", server.port);
    let stream = |user: &str, password: &str| {
        let options = ConnectOptions::new()
            .user_and_password(user.into(), password.into())
            .add_root_certificates(certificate.join("cert.pem"))
            .require_tls(true);
        Stream::new(options, &*url, "s").unwrap()
    };
    let maker = stream("maker", "m");
    let limits = Limits::new(1000, HOUR);
    let made = async {
        while let Err(error) = maker.create(&limits).await {
            assert_eq!(error, Error::Disconnected);
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(HOUR / 240, made).await.unwrap();
    let wrong = stream("maker", "wrong").create(&limits).await;
    assert_eq!(wrong, Err(Error::Disconnected));
    let publisher = publisher(&stream("publisher", "p")).await;
    let first = publish(&publisher, 0..20).await.remove(0);
    let relay = relay(&stream("node", "n"), small()).await;
    let mut body = resume(&relay, &first).await.or_live(&reset());
    publish(&publisher, 20..21).await;
    assert_eq!(data(&until(&mut body, "20").await).len(), 20);
    assert!(relay.metrics().pages > 0 && relay.metrics().reconnections == 0);
    // A node may not publish.
    let node = self::publisher(&stream("node", "n")).await;
    let node = node.with_retry_for(Duration::ZERO).unwrap();
    assert!(node.publish(&entry("x")).await.is_err());
    std::fs::remove_dir_all(certificate).unwrap();
}

#[tokio::test]
async fn a_publication_is_never_sent_after_its_tries_have_ended() {
    let server = Server::start(&[]).await;
    create(&server).await;
    let proxy = Proxy::start(server.port).await;
    let publisher = publisher(&stream(proxy.port)).await;
    publish(&publisher, 0..1).await;
    let publisher = publisher
        .with_retry_for(Duration::from_millis(300))
        .unwrap();
    proxy.set(Link::Down);
    let fail = || {
        let tries = (0..25).map(|_| async {
            let failed = publisher.publish(&entry("late")).await;
            assert!(failed.is_err(), "{failed:?}");
        });
        futures_util::future::join_all(tries)
    };
    // Before the client knows that its connection is lost, and after.
    fail().await;
    sleep(Duration::from_millis(200)).await;
    fail().await;
    proxy.set(Link::Up);
    // The client would be back by now, with what it had queued.
    sleep(Duration::from_secs(5)).await;
    assert_eq!(server.len().await, 1);
    publish(&publisher, 1..2).await;
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let info =
                r#"{"server_id":"x","version":"2.8.4","headers":true,"max_payload":1048576}"#;
            let answer = format!("INFO {info}\r\nPONG\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            tokio::spawn(async move {
                sleep(HOUR / 60).await;
                drop(socket)
            });
        }
    });
    assert_eq!(stream(port).engine().await.unwrap_err(), Error::TooOld);
}

#[tokio::test]
async fn a_slow_engine_loses_nothing() {
    let server = Server::start(&[]).await;
    create(&server).await;
    let proxy = Proxy::start(server.port).await;
    let stream = stream(proxy.port);
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    proxy.set(Link::Slow(150));
    publish(&publisher, 0..5).await;
    assert_eq!(
        data(&until(&mut body, "4").await),
        ["0", "1", "2", "3", "4"]
    );
    assert_eq!(server.len().await, 5);
    let metrics = relay.metrics();
    assert_eq!((metrics.rewinds, metrics.resets), (0, 0));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_for_another() {
    let server = Server::start(&[]).await;
    create(&server).await;
    let proxy = Proxy::start(server.port).await;
    let servers = [proxy.port, server.port].map(support::url);
    let options = ConnectOptions::new().retain_servers_order();
    let stream = Stream::new(options, &servers[..], "s").unwrap();
    let (relay, publisher) = (
        relay(&stream, Options::new()).await,
        publisher(&stream).await,
    );
    let mut body = live(&relay).await;
    publish(&publisher, 0..1).await;
    until(&mut body, "0").await;
    proxy.set(Link::Silent);
    publish(&publisher, 1..2).await;
    until(&mut body, "1").await;
    assert_eq!((relay.metrics().rewinds, relay.metrics().resets), (0, 0));
}

#[tokio::test]
async fn an_idle_reader_keeps_its_connection() {
    let server = Server::start(&[]).await;
    let stream = create(&server).await;
    let empty = relay(&stream, Options::new()).await;
    sleep(Duration::from_millis(1500)).await;
    publish(&publisher(&stream).await, 0..1).await;
    let relay = relay(&stream, Options::new()).await;
    // Longer than two heartbeats.
    sleep(Duration::from_millis(1500)).await;
    for relay in [empty, relay] {
        assert_eq!(relay.metrics().reconnections, 0);
        assert!(relay.ready());
    }
}
