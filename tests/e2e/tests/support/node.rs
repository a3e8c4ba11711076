//! A node of the example `cluster`.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};

use programs::Process;

use super::http1::{Request, Response};
use super::{Answer, CLUSTER, until};

/// A running node. Dropped, it is killed with -9.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    arguments: Vec<String>,
    pub(crate) process: Process,
}

impl Node {
    /// Starts a node on a free port, and returns once it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().copied().map(str::to_owned).collect();
        // Not of the address that clients connect from, so that the port stays free between two starts.
        Self::start_at("127.0.0.2:0", arguments)
    }

    /// Starts a node, and returns once it is ready.
    pub(crate) fn start_ready(arguments: &[&str]) -> Self {
        let node = Self::start(arguments);
        node.until_ready();
        node
    }

    /// Makes the stream of an engine.
    pub(crate) fn create(arguments: &[&str]) {
        let status = Command::new(CLUSTER.program())
            .args(arguments)
            .arg("--create")
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("it runs").success());
    }

    fn start_at(address: &str, arguments: Vec<String>) -> Self {
        let mut child = Command::new(CLUSTER.program())
            .args(["--listen", address])
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let output = child.stdout.take().expect("standard output is piped");
        let process = Process::new(child, output);
        let url = process.line_with("http://");
        let address = url.trim_start_matches("http://").parse();
        Self {
            address: address.expect("an address"),
            arguments,
            process,
        }
    }

    /// Kills it with -9, and starts another at its address.
    pub(crate) fn restart(&mut self) {
        self.kill();
        *self = Self::start_at(&self.address.to_string(), self.arguments.clone());
    }

    /// Kills it with -9.
    pub(crate) fn kill(&mut self) {
        self.process.child.kill().expect("it is a child");
        self.process.child.wait().expect("it ends");
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Request::get(path).send(self.address)
    }

    /// Publishes as a user.
    pub(crate) fn publish(&self, user: &str, topic: &str, text: &str) -> Response {
        publication(user, topic, text)
            .open(self.address)
            .expect("a response")
    }

    pub(crate) fn until_ready(&self) {
        self.until_readiness("Ready\n");
    }

    /// Waits until `/ready` answers with a text that begins like this.
    pub(crate) fn until_readiness(&self, text: &str) -> Answer {
        until(text, || {
            let answer = self.get("/ready");
            if answer.body.starts_with(text) {
                Ok(answer)
            } else {
                Err(answer.body)
            }
        })
    }

    /// Returns the value of a metric.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").body;
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
        let value = values.next().unwrap_or_else(|| panic!("no {name}: {text}"));
        value.trim().parse().expect("a number")
    }

    pub(crate) fn exit_status(&mut self) -> ExitStatus {
        until("the end of the process", || {
            let status = self.process.child.try_wait().expect("it is a child");
            status.ok_or_else(|| "it runs on".into())
        })
    }
}

/// Makes a publication of a user's.
pub(crate) fn publication(user: &str, topic: &str, text: &str) -> Request {
    of_user(Request::post(&format!("/topics/{topic}"), text), user)
}

/// Adds the token of a user.
pub(crate) fn of_user(request: Request, user: &str) -> Request {
    let token = format!("Bearer demo-token-of-{user}");
    request.with_header("authorization", token.as_bytes())
}
