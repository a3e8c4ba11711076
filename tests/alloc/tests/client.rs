//! What a reconnecting client holds: below 1 KiB while nothing is read, and no more after a year.

#[path = "../client/mod.rs"]
mod client;

use client::{ALL, Doing, Year, bytes_after_a_limit, bytes_for_each};

#[test]
fn clients_that_read_nothing_take_less_than_1_kib_each() {
    for doing in ALL {
        let bytes = bytes_for_each(doing, 1_000);
        // What events that come cut leave in the decoder's buffers, which the next ones need again.
        let most = if doing == Doing::SilentAfterCuts {
            2560
        } else {
            1024
        };
        assert!(bytes < most, "{doing:?}: {bytes} bytes");
    }
}

#[test]
fn a_year_of_reconnects_grows_nothing() {
    let mut year = Year::new();
    year.month();
    let (requests, events) = (year.requests, year.events);
    assert!(
        requests > 10_000 && events > 5_000,
        "{requests} requests, {events} events in a month"
    );
    let grown: i64 = (1..Year::MONTHS).map(|_| year.month()).sum();
    // Where a month ends within a connection, its buffers are there.
    assert!(
        grown.abs() <= 1024,
        "{grown} bytes after {} requests",
        year.requests
    );
}

#[test]
fn a_client_that_a_limit_has_closed_keeps_no_buffer() {
    let bytes = bytes_after_a_limit();
    assert!(bytes < 1024, "{bytes} bytes");
}
