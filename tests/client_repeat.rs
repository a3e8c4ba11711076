//! Which requests a reconnecting client sends again.

mod support;

use std::time::Duration;

use sse_proto::client::{ClosedReason, DownReason, EventSource, Options, Repeat, Response, State};
use support::driver::Driver;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_request_that_is_not_idempotent_is_not_repeated_until_an_id_was_seen() {
    let options = Options::resilient().with_repeat(Repeat::for_method("POST"));
    for lose in [
        EventSource::handle_error,
        EventSource::handle_end,
        EventSource::handle_network_lost,
    ] {
        let mut driver = Driver::new(options);
        driver.open();
        driver.feed("data: half an answer\n\ndata: cut");
        lose(&mut driver.source, driver.now);
        driver.aborts();
        let closed = driver.source.closed().expect("it must not go on").clone();
        assert!(
            matches!(closed.reason, ClosedReason::NotRepeatable(_)),
            "{closed:?}"
        );
        assert!(closed.is_interrupted);

        let mut driver = Driver::new(options);
        driver.open();
        driver.feed("id: 1\ndata: x\n\n");
        lose(&mut driver.source, driver.now);
        assert_eq!(driver.source.state(), State::Waiting);
    }
    // Not even where the server was only busy; but what was never sent may be sent.
    let mut driver = Driver::new(options);
    driver.request();
    driver.respond(Response::new(503));
    assert!(driver.aborts());
    assert!(matches!(
        driver.closed().reason,
        ClosedReason::NotRepeatable(DownReason::Rejected(_))
    ));
    let mut driver = Driver::new(options);
    driver.source.handle_network_lost(at(0));
    assert_eq!(driver.down().reason, DownReason::NetworkLost);
    driver.source.handle_network_back(at(9));
    driver.request();
}
