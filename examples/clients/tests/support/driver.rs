//! The drivers as functions that return their updates as text.

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use sse_proto::EventSource;
use sse_proto::client::{Options, Update};
use sse_proto::decode::OwnedItem;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::PATIENCE;

/// Follows a URL until the client closes, and returns its updates as text.
pub(crate) type Driver = fn(&str, Options, Duration) -> Vec<String>;

/// All drivers by name.
pub(crate) const DRIVERS: [(&str, Driver); 3] =
    [("hyper", hyper), ("reqwest", reqwest), ("ureq", ureq)];

/// Must be sent only to the first origin.
const CREDENTIALS: &str = "secret";

fn hyper(url: &str, options: Options, idle_timeout: Duration) -> Vec<String> {
    let source = EventSource::with_seed(url, options.with_idle_timeout(Some(idle_timeout)), 0);
    let credentials = CREDENTIALS.try_into().expect("a header");
    let mut told = Vec::new();
    let loss = run(client_hyper::follow(source, Some(credentials), |update| {
        told.push(tell(&update));
    }));
    told.push(tell(&Update::Closed(loss)));
    told
}

fn reqwest(url: &str, options: Options, idle_timeout: Duration) -> Vec<String> {
    let options = options.with_idle_timeout(Some(idle_timeout));
    let credentials = CREDENTIALS.try_into().expect("a header");
    run(async {
        let updates = client_reqwest::follow(url, options, Some(credentials)).expect("a client");
        updates.map(|update| tell(&update)).collect().await
    })
}

fn ureq(url: &str, options: Options, idle_timeout: Duration) -> Vec<String> {
    let credentials = CREDENTIALS.try_into().expect("a header");
    let updates = client_ureq::spawn(url, options, idle_timeout, Some(credentials));
    let mut told = Vec::new();
    loop {
        let update = updates
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("{error}: {told:#?}"));
        told.push(tell(&update));
        if matches!(update, Update::Closed(_)) {
            return told;
        }
    }
}

fn run<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let output = runtime.block_on(async { timeout(PATIENCE, future).await });
    output.expect("the client closes in time")
}

fn tell(update: &Update) -> String {
    match update {
        Update::Opened => "open".into(),
        Update::Item(OwnedItem::Event(event)) => {
            let own = if event.has_own_id() { "#" } else { "" };
            let (event_type, id) = (event.event_type(), event.last_event_id());
            format!("{event_type} {own}{id}: {}", short(event.data()))
        }
        Update::Item(OwnedItem::Comment(text)) => format!("comment {text}"),
        Update::Item(OwnedItem::LastEventId(id)) => format!("id {id}"),
        Update::Item(OwnedItem::ReconnectionTime(time)) => format!("retry {time:?}"),
        Update::Lost(loss) => {
            let cut = if loss.is_interrupted { ", cut" } else { "" };
            let wait = loss.retry_in.expect("there is a network");
            // Its text is the HTTP client's.
            let error = loss.source().map_or("", |_| ", for a cause");
            format!("lost {}{cut}, {wait:?}: {loss}{error}", loss.attempt)
        }
        Update::Closed(loss) => format!("closed: {loss}"),
        _ => panic!("nothing else is expected"),
    }
}

/// Returns data as escaped text. Long data of one repeated character is shown by its length.
fn short(data: &str) -> String {
    let first = data.chars().next().unwrap_or_default();
    if data.len() > 64 && data.chars().all(|one| one == first) {
        format!("{} {first}", data.len())
    } else {
        data.escape_debug().to_string()
    }
}
