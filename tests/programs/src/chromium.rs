//! Chromium without a window, driven through its driver.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use thirtyfour::common::log::LoggingPrefsLogLevel;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};

use crate::{PATIENCE, Process};

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Nothing listens there, and what is on this machine needs no proxy.
    "--proxy-server=127.0.0.1:9",
    "--lang=en",
    "--window-size=1280,960",
];

/// A browser of its own. Dropped, it ends.
// In this order: the browser, then its driver, then its files.
#[derive(Debug)]
pub struct Chromium {
    client: WebDriver,
    port: u16,
    _driver: Process,
    _profile: TempDir,
}

impl Chromium {
    /// Starts a browser.
    pub async fn start() -> Self {
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
        Self {
            client,
            port,
            _driver: driver,
            _profile: profile,
        }
    }

    /// Returns what drives it.
    pub fn client(&self) -> &WebDriver {
        &self.client
    }
}

impl Drop for Chromium {
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
