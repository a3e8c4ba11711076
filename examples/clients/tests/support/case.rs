//! A script, and what has to come of it.

use std::time::Duration;

use sse_proto::client::Options;

use super::driver::Driver;
use super::server::{Answer, Listener};

/// Of any delay.
pub(crate) const SHORTEST: Duration = Duration::from_millis(2);
/// Of any delay.
pub(crate) const LONGEST: Duration = Duration::from_millis(50);

/// Those of a client that nobody watches, with delays that can be told beforehand, and that a test can wait for.
pub(crate) const OPTIONS: Options = Options::resilient()
    .with_jitter(0)
    .with_reconnection_time(Duration::from_millis(3))
    .with_max_backoff(Some(Duration::from_millis(10)))
    .with_delay_bounds(SHORTEST, LONGEST)
    .with_max_retries(Some(4));

/// A script, and what every driver has to make of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) options: Options,
    pub(crate) idle_timeout: Duration,
    /// What the server of the first URL does, connection by connection.
    pub(crate) script: Vec<Answer>,
    /// What the other server does.
    pub(crate) elsewhere: Vec<Answer>,
    /// What the driver hands over.
    pub(crate) updates: Vec<String>,
    /// What the first server is asked.
    pub(crate) requests: Vec<String>,
    /// What the other server is asked.
    pub(crate) requests_elsewhere: Vec<String>,
}

impl Case {
    pub(crate) fn new(name: &'static str, script: Vec<Answer>) -> Self {
        Self {
            name,
            options: OPTIONS,
            idle_timeout: Duration::from_secs(20),
            script,
            elsewhere: Vec::new(),
            updates: Vec::new(),
            requests: Vec::new(),
            requests_elsewhere: Vec::new(),
        }
    }

    pub(crate) fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    pub(crate) fn with_idle_timeout(self, idle_timeout: Duration) -> Self {
        Self {
            idle_timeout,
            ..self
        }
    }

    pub(crate) fn with_elsewhere(self, elsewhere: Vec<Answer>, requests: &[&str]) -> Self {
        let requests_elsewhere = owned(requests);
        Self {
            elsewhere,
            requests_elsewhere,
            ..self
        }
    }

    /// Sets what is handed over.
    pub(crate) fn gives(self, updates: &[&str]) -> Self {
        Self {
            updates: owned(updates),
            ..self
        }
    }

    /// Sets what the server is asked.
    pub(crate) fn asks(self, requests: &[&str]) -> Self {
        let requests = owned(requests);
        Self { requests, ..self }
    }

    /// Plays the script to a driver.
    pub(crate) fn check(&self, (driver, follow): (&str, Driver)) {
        let name = format!("{} through {driver}", self.name);
        let (server, elsewhere) = (Listener::bind(), Listener::bind());
        let url = format!("http://{}/", server.address);
        let addresses = (server.address.clone(), elsewhere.address.clone());
        let server = server.play(self.script.clone(), addresses.1);
        let elsewhere = elsewhere.play(self.elsewhere.clone(), addresses.0);
        let updates = follow(&url, self.options.clone(), self.idle_timeout);
        assert_eq!(updates, self.updates, "{name}");
        assert_eq!(server.requests(), self.requests, "{name}");
        assert_eq!(
            elsewhere.requests(),
            self.requests_elsewhere,
            "{name}: elsewhere"
        );
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.into()).collect()
}
