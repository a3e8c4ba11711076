//! A page in Chromium that listens to an event stream.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use programs::Chromium;
use serde::de::DeserializeOwned;

use super::{PATIENCE, Seen};

/// Begins to record what an `EventSource` is given.
const LISTEN: &str = r#"
window.recorded = [];
window.source = new EventSource("/events");
const record = ({ type, lastEventId, data }) => recorded.push({ event_type: type, last_event_id: lastEventId, data });
for (const type of ["tick", "echo", "reset", "message"]) source.addEventListener(type, record);
"#;

/// How long to wait before another look at the page.
const PAUSE: Duration = Duration::from_millis(20);

/// A page in a browser of its own.
#[derive(Debug)]
pub(crate) struct Page {
    chromium: Chromium,
}

impl Page {
    /// Starts a browser.
    pub(crate) async fn open() -> Self {
        Self {
            chromium: Chromium::start().await,
        }
    }

    /// Listens to the event stream of a server.
    pub(crate) async fn listen(&self, address: SocketAddr) {
        // Of the same origin, since the examples have no page.
        let gone = self.chromium.client();
        let gone = gone.goto(format!("http://{address}/stats")).await;
        gone.expect("the page loads");
        let () = self.run(LISTEN).await;
    }

    /// Ends the event stream. To leave the page is not enough: the browser keeps it, for who goes back.
    pub(crate) async fn close(&self) {
        let () = self.run("source.close()").await;
    }

    /// Waits until the event stream is open.
    pub(crate) async fn until_open(&self) {
        let start = Instant::now();
        while !self
            .run::<bool>("return source.readyState == EventSource.OPEN")
            .await
        {
            assert!(start.elapsed() < PATIENCE, "the stream does not open");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until this is so, and returns all that has come.
    pub(crate) async fn until(&self, wanted: &str, is: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let start = Instant::now();
        loop {
            let seen = self.seen().await;
            if is(&seen) {
                return seen;
            }
            assert!(start.elapsed() < PATIENCE, "not {wanted}, but {seen:#?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns all that has come.
    pub(crate) async fn seen(&self) -> Vec<Seen> {
        self.run("return recorded").await
    }

    async fn run<T: DeserializeOwned>(&self, script: &str) -> T {
        let returned = self.chromium.client().execute(script, Vec::new()).await;
        let returned = returned.expect("the page runs a script").convert();
        returned.expect("what the script returns")
    }
}
