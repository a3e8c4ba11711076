//! What clients that were away for long cost the engine.

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use sse_proto::broadcast::SubscribeOptions;
use sse_proto::event::LastEventId;
use sse_proto::{Event, EventId};
use sse_proto_relay::{
    Entry, Id, OpenError, Options, Place, Publisher, Readiness, Relay, Subscribed,
};
use support::vec_engine::VecEngine;
use tokio::time::sleep;

/// A log of entries, and a relay whose local log has the newest 8 of them.
async fn cold(entries: usize, options: Options) -> (VecEngine, Vec<Id>, Relay<VecEngine>) {
    let engine = VecEngine::new();
    let publisher = Publisher::open(engine.clone()).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..entries {
        let event = Event::message(number.to_string());
        ids.push(
            publisher
                .publish(&Entry::new(&event).unwrap())
                .await
                .unwrap(),
        );
    }
    let relay = Relay::open(engine.clone(), options).await.unwrap();
    (engine, ids, relay)
}

async fn ask(relay: &Relay<VecEngine>, id: &str) -> Result<Subscribed, sse_proto_relay::Busy> {
    let id = EventId::new(id.to_owned()).unwrap();
    relay.subscribe(&SubscribeOptions::new(), id).await
}

#[tokio::test(start_paused = true)]
async fn clients_share_pages_also_while_they_are_being_read() {
    let options = Options::new().with_sizes(8, 8, 100);
    let (engine, ids, relay) = cold(1000, options).await;
    engine.world().lag = Duration::from_millis(50);
    let texts: Vec<_> = ids[..900].iter().map(Id::to_string).collect();
    let all = join_all(texts.iter().map(|id| ask(&relay, id))).await;
    assert!(
        all.iter()
            .all(|one| matches!(one, Ok(Subscribed::Resumed(_))))
    );
    let world = engine.world();
    // Nine pages have all ids. Clients that wait for a page are woken in any order, so that some read
    // what lies just before the page of another.
    assert!(world.reads <= 8 * 9, "{} reads", world.reads);
}

#[tokio::test(start_paused = true)]
async fn at_most_sixteen_reads_are_on_their_way() {
    let options = Options::new().with_sizes(8, 8, 10);
    let (engine, ids, relay) = cold(1000, options).await;
    assert!(ask(&relay, &ids[0].to_string()).await.is_ok());
    engine.world().lag = Duration::from_millis(50);
    let texts: Vec<_> = ids[..900].iter().step_by(15).map(Id::to_string).collect();
    let all = join_all(texts.iter().map(|id| ask(&relay, id))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(engine.world().most_reading, 16);
}

#[tokio::test(start_paused = true)]
async fn pages_in_hand_have_a_bound_and_above_it_clients_wait_and_then_come_back() {
    // Room for one page.
    let options = Options::new().with_sizes(8, 8, 100).with_history_bytes(0);
    let (engine, ids, relay) = cold(1000, options).await;
    engine.world().lag = Duration::from_secs(2);
    let texts: Vec<_> = [5, 205, 405, 605]
        .map(|at: usize| ids[at].to_string())
        .into();
    let all = join_all(texts.iter().map(|id| ask(&relay, id))).await;
    assert_eq!(engine.world().most_reading, 1);
    let resumed = all.iter().filter(|one| one.is_ok()).count();
    assert_eq!((resumed, relay.metrics().busy), (2, 2), "{all:?}");
    // Nobody holds the pages any more, and those that are kept make room.
    engine.world().lag = Duration::ZERO;
    for id in &texts {
        assert!(matches!(ask(&relay, id).await, Ok(Subscribed::Resumed(_))));
    }
    assert_eq!(relay.metrics().busy, 2);
}

#[tokio::test(start_paused = true)]
async fn a_page_takes_its_room_also_if_its_data_are_line_feeds() {
    let engine = VecEngine::new();
    let publisher = Publisher::open(engine.clone()).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..60 {
        let event = Event::message("\n".repeat(100_000));
        let entry = Entry::new(&event).unwrap();
        ids.push(publisher.publish(&entry).await.unwrap());
    }
    let options = Options::new().with_sizes(8, 8, 60);
    let relay = Relay::open(engine, options).await.unwrap();
    let body = match ask(&relay, &ids[0].to_string()).await {
        Ok(Subscribed::Resumed(body)) => body,
        other => panic!("{other:?}"),
    };
    let text: Vec<_> = body.take(59).collect().await;
    assert_eq!(
        text.iter()
            .map(|chunk| chunk.len() / 600_000)
            .sum::<usize>(),
        59
    );
    // A page has room for about 2 MiB, or three of these frames, the first of which is known.
    let pages = relay.metrics().pages;
    assert!(pages >= 59 / 3, "{pages}");
}

#[tokio::test(start_paused = true)]
async fn ids_that_this_relay_cannot_have_sent_cost_no_read() {
    let (engine, ids, relay) = cold(50, Options::new().with_sizes(20, 20, 10)).await;
    engine.world().trim(10);
    // The reader sees what was trimmed at its next check.
    sleep(Duration::from_secs(3)).await;
    let other_tag = |id: Id| Id { tag: !id.tag, ..id }.to_string();
    let start = ask(&relay, "0-0-00000000").await;
    assert!(matches!(start, Ok(Subscribed::Gap(_))), "{start:?}");
    for id in ["7", "1-1", "x-y-z", "1-1-0000000g"] {
        assert!(
            matches!(ask(&relay, id).await, Ok(Subscribed::Unknown(_))),
            "{id}"
        );
    }
    assert!(matches!(
        ask(&relay, &other_tag(ids[45])).await,
        Ok(Subscribed::Unknown(_))
    ));
    assert!(matches!(
        ask(&relay, &ids[5].to_string()).await,
        Ok(Subscribed::Gap(_))
    ));
    let invalid = relay
        .subscribe(&SubscribeOptions::new(), LastEventId::Invalid)
        .await;
    assert!(matches!(invalid, Ok(Subscribed::Unknown(_))));
    assert_eq!(engine.world().reads, 0);
}

#[tokio::test(start_paused = true)]
async fn above_a_budget_unknown_ids_take_turns_and_old_ones_are_still_served() {
    let (engine, ids, relay) = cold(50, Options::new().with_sizes(8, 8, 10)).await;
    let forged = |seq| Id {
        place: Place::new(1000, seq),
        tag: 0,
    };
    for number in 0..750 {
        let unknown = ask(&relay, &forged(number).to_string()).await;
        assert!(matches!(unknown, Ok(Subscribed::Unknown(_))), "{unknown:?}");
        // The start, but of another log.
        let start = format!("0-0-{number:08x}");
        let gap = ask(&relay, &start).await;
        assert!(matches!(gap, Ok(Subscribed::Gap(_))), "{gap:?}");
    }
    engine.world().lag = Duration::from_millis(1);
    engine.world().most_reading = 0;
    let more: Vec<_> = (0..8).map(|at| forged(at << 40).to_string()).collect();
    let own = ids[0].to_string();
    let (told, own) = tokio::join!(
        join_all(more.iter().map(|id| ask(&relay, id))),
        ask(&relay, &own)
    );
    assert_eq!(engine.world().most_reading, 1);
    assert!(matches!(own, Ok(Subscribed::Resumed(_))), "{own:?}");
    assert!(
        told.iter()
            .all(|one| matches!(one, Ok(Subscribed::Unknown(_))))
    );
    // The budget comes back.
    sleep(Duration::from_secs(10)).await;
    engine.world().most_reading = 0;
    engine.world().lag = Duration::from_secs(1);
    let more = (50..66).map(|at| forged(at << 40).to_string());
    let more: Vec<_> = more.collect();
    join_all(more.iter().map(|id| ask(&relay, id))).await;
    assert_eq!(engine.world().most_reading, 16);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_makes_clients_wait_and_then_come_back() {
    let (engine, ids, relay) = cold(50, Options::new().with_sizes(8, 8, 10)).await;
    engine.world().is_down = true;
    let start = tokio::time::Instant::now();
    assert!(ask(&relay, &ids[0].to_string()).await.is_err());
    assert!(
        (5..6).contains(&start.elapsed().as_secs()),
        "{:?}",
        start.elapsed()
    );
    // The local log still serves.
    assert!(matches!(
        ask(&relay, &ids[45].to_string()).await,
        Ok(Subscribed::Resumed(_))
    ));
    sleep(Duration::from_secs(6)).await;
    assert!(matches!(relay.readiness(), Readiness::Stale(_)));
    assert_eq!(relay.metrics().busy, 1);
    engine.world().is_down = false;
    sleep(Duration::from_secs(2)).await;
    assert!(relay.ready());
}

#[tokio::test(start_paused = true)]
async fn a_seed_that_a_limit_cuts_is_counted_and_a_retention_below_it_is_refused() {
    let (_, _, whole) = cold(50, Options::new().with_sizes(100, 20, 10)).await;
    assert_eq!(whole.metrics().seeds_cut, 0);
    let (engine, ..) = cold(50, Options::new()).await;
    let cut = Options::new().with_sizes(100, 20, 10).with_seed_bytes(100);
    let cut = Relay::open(engine.clone(), cut).await.unwrap();
    assert_eq!(cut.metrics().seeds_cut, 1);
    assert!(cut.broadcast().statistics().retained_frames < 20);
    // The largest entry of the engine has 1 MiB, and may be line feeds.
    let below = Options::new().with_retention(1000, 7 << 20);
    let refused = Relay::open(engine.clone(), below).await;
    assert!(matches!(refused, Err(OpenError::RetentionBelowEntry)));
    let enough = Options::new().with_retention(1000, 8 << 20);
    assert!(Relay::open(engine.clone(), enough).await.is_ok());
    for options in [
        Options::new().with_retention(999, 1 << 20),
        Options::new().with_seed_bytes(65 << 20),
    ] {
        let refused = Relay::open(engine.clone(), options).await;
        assert!(matches!(refused, Err(OpenError::RetentionBelowSeed)));
    }
}
