//! A script of servers, and its expected results.

use std::time::Duration;

use sse_proto::client::Options;

use super::driver::Driver;
use super::server::{Answer, Listener};

/// The shortest delay before a reconnection.
pub(crate) const SHORTEST: Duration = Duration::from_millis(2);
/// The longest delay before a reconnection.
pub(crate) const LONGEST: Duration = Duration::from_millis(50);

/// The options of the clients: those of a resilient client, with delays that are short and not
/// random.
pub(crate) const OPTIONS: Options = Options::resilient()
    .with_jitter(0)
    .with_reconnection_time(Duration::from_millis(3))
    .with_max_backoff(Some(Duration::from_millis(10)))
    .with_delay_bounds(SHORTEST, LONGEST)
    .with_max_retries(Some(4));

/// A script, and the results that every driver must produce.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) options: Options,
    pub(crate) idle_timeout: Duration,
    /// The answers of the first server, one for each connection.
    pub(crate) script: Vec<Answer>,
    /// The answers of the other server.
    pub(crate) elsewhere: Vec<Answer>,
    /// The expected updates.
    pub(crate) updates: Vec<String>,
    /// The expected requests to the first server.
    pub(crate) requests: Vec<String>,
    /// The expected requests to the other server.
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

    /// Sets the expected updates.
    pub(crate) fn gives(self, updates: &[&str]) -> Self {
        Self {
            updates: owned(updates),
            ..self
        }
    }

    /// Sets the expected requests to the first server.
    pub(crate) fn asks(self, requests: &[&str]) -> Self {
        let requests = owned(requests);
        Self { requests, ..self }
    }

    /// Runs the script against a driver, and compares the results.
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
