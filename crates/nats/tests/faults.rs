//! What becomes of clients and publications when JetStream fails, on a real nats-server.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use sse_proto_nats::{
    Body, Error, Limits, Options, PublishError, Readiness, Refusal, Relay, Setting, Stream,
    Subscribed, Warning,
};
use sse_proto_relay::Rule;
use sse_proto_testing::{
    HOUR, Link, Proxy, all, data, end, entry, event_id, eventually, reset, until,
};
use support::{Server, create, publisher, relay};
use tokio::time::sleep;

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
