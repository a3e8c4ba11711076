//! Chromium without a window, driven through its driver.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::common::log::LoggingPrefsLogLevel;
use thirtyfour::{By, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};

use super::process::Process;
use super::seen::{Event, RECORD, SCRIPT, Seen};
use super::{PATIENCE, Server};

const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en",
    "--window-size=1280,960",
];

/// How long to wait before another look at the page.
const PAUSE: Duration = Duration::from_millis(50);

/// A page in a browser of its own. Dropped, the browser ends.
// In this order: the browser, then its driver, then its files.
#[derive(Debug)]
pub(crate) struct Browser {
    client: WebDriver,
    port: u16,
    _driver: Process,
    _profile: TempDir,
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
        let (driver, port) = start_driver();
        let profile = TempDir::new().expect("a folder for the profile");
        let mut capabilities = DesiredCapabilities::chrome();
        let profile_flag = format!("--user-data-dir={}", profile.path().display());
        for flag in FLAGS.into_iter().chain([&*profile_flag]) {
            capabilities.add_arg(flag).expect("a flag");
        }
        capabilities
            .set_browser_log_level(LoggingPrefsLogLevel::All)
            .expect("a log level");
        let client = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities)
            .await
            .unwrap_or_else(|error| {
                panic!("Chromium does not start (apt-get install chromium): {error}")
            });
        client
            .goto(format!("http://{address}/"))
            .await
            .expect("the page loads");
        Self {
            client,
            port,
            _driver: driver,
            _profile: profile,
        }
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
            let recorded = self.client.execute(RECORD, Vec::new()).await;
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
        let found = self.client.find(By::Css(selector)).await;
        let clicked = found.expect("it is in the page").click().await;
        clicked.expect("it can be clicked");
    }

    /// Changes what the user prefers.
    pub(crate) async fn prefer(&self, scheme: Scheme) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme.name() });
        let features = json!({ "features": [feature] });
        let set = self.client.cdp();
        let set = set.send_raw("Emulation.setEmulatedMedia", features).await;
        set.expect("the preference is set");
    }

    /// Saves what is seen, as PNG.
    pub(crate) async fn save(&self, path: &Path) {
        let saved = self.client.screenshot(path).await;
        saved.expect("the screenshot is saved");
    }

    /// What the browser had to say against the page, since it was last asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.client.browser_log().await.expect("the browser's log");
        let log = log.into_iter();
        let bad = log.filter(|entry| matches!(&*entry.level, "SEVERE" | "WARNING"));
        bad.map(|entry| entry.message).collect()
    }

    async fn seen(&self) -> Seen {
        let seen = self.client.execute(SCRIPT, Vec::new()).await;
        let seen = seen.expect("the page runs a script");
        seen.convert().expect("what the script returns")
    }
}

impl Drop for Browser {
    /// Not by the client: its own drop was seen to wait for two minutes, and to leave the browser running.
    fn drop(&mut self) {
        let _ = self.client.clone().leak();
        if let Err(error) = shut_down(self.port) {
            eprintln!("the browser may still run: {error}");
        }
    }
}

/// Has the driver end its browser, and waits for that.
fn shut_down(port: u16) -> io::Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    write!(
        socket,
        "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )?;
    socket.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Starts the driver on a free port, and returns once it listens there.
fn start_driver() -> (Process, u16) {
    let mut child = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("no chromedriver (apt-get install chromium chromium-driver): {error}")
        });
    let output = child.stdout.take().expect("standard output is piped");
    let driver = Process::new(child, output);
    let line = driver.line_with("started successfully on port ");
    let port = line.trim_end_matches('.').rsplit(' ').next();
    let port = port.and_then(|port| port.parse().ok());
    (driver, port.expect("a port"))
}
