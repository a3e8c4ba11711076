//! The page in Chromium.

use std::path::Path;
use std::time::{Duration, Instant};

use programs::thirtyfour::By;
use programs::{Chromium, PATIENCE};
use serde_json::json;

use super::Server;
use super::seen::{Event, RECORD, SCRIPT, Seen};

/// How long to wait before another look at the page.
const PAUSE: Duration = Duration::from_millis(50);

/// A page in a browser of its own. Dropped, the browser ends.
#[derive(Debug)]
pub(crate) struct Browser {
    chromium: Chromium,
}

/// What the user prefers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    /// As CSS has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Starts a browser and opens the page of this server.
    pub(crate) async fn open(server: &Server) -> Self {
        Self::open_at(&server.address).await
    }

    /// Opens the page at a host and port.
    pub(crate) async fn open_at(address: &str) -> Self {
        let chromium = Chromium::start().await;
        chromium
            .client()
            .goto(format!("http://{address}/"))
            .await
            .expect("the page loads");
        Self { chromium }
    }

    /// Looks at the page until it shows what is wanted, and returns what it shows.
    pub(crate) async fn until(&self, wanted: &str, is: impl Fn(&Seen) -> bool) -> Seen {
        let start = Instant::now();
        loop {
            let seen = self.seen().await;
            if is(&seen) {
                return seen;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the page does not come to this: {wanted}; it shows {seen:#?}"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until these events have come to an `EventSource` that is not the page's, and returns all events so far. It
    /// connects at the first call.
    pub(crate) async fn recorded(&self, has_come: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let start = Instant::now();
        loop {
            let recorded = self.chromium.client().execute(RECORD, Vec::new()).await;
            let recorded = recorded.expect("the page runs a script").convert();
            let recorded: Vec<Event> = recorded.expect("what the script returns");
            if has_come(&recorded) {
                return recorded;
            }
            assert!(start.elapsed() < PATIENCE, "not all came: {recorded:#?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Clicks on what a CSS selector finds.
    pub(crate) async fn click(&self, selector: &str) {
        let found = self.chromium.client().find(By::Css(selector)).await;
        let clicked = found.expect("it is in the page").click().await;
        clicked.expect("it can be clicked");
    }

    /// Changes what the user prefers.
    pub(crate) async fn prefer(&self, scheme: Scheme) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme.name() });
        let features = json!({ "features": [feature] });
        let set = self.chromium.client().cdp();
        let set = set.send_raw("Emulation.setEmulatedMedia", features).await;
        set.expect("the preference is set");
    }

    /// Saves what is seen, as PNG.
    pub(crate) async fn save(&self, path: &Path) {
        let saved = self.chromium.client().screenshot(path).await;
        saved.expect("the screenshot is saved");
    }

    /// What the browser had to say against the page, since it was last asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self
            .chromium
            .client()
            .browser_log()
            .await
            .expect("the browser's log");
        let log = log.into_iter();
        let bad = log.filter(|entry| matches!(&*entry.level, "SEVERE" | "WARNING"));
        bad.map(|entry| entry.message).collect()
    }

    async fn seen(&self) -> Seen {
        let seen = self.chromium.client().execute(SCRIPT, Vec::new()).await;
        let seen = seen.expect("the page runs a script");
        seen.convert().expect("what the script returns")
    }
}
