//! The built example as a process.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::LazyLock;

use programs::Process;

use super::example;

/// A running example. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    /// Host and port.
    pub(crate) address: String,
    input: ChildStdin,
    process: Process,
}

impl Server {
    /// Starts the example on a free port, and returns once it listens.
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    /// Kills the example, without a farewell.
    pub(crate) fn kill(self) -> Killed {
        Killed {
            address: self.address,
        }
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        self.process.interrupt();
    }

    /// Waits for the end of the process.
    pub(crate) fn exit_status(&mut self) -> ExitStatus {
        self.process.child.wait().expect("the example is a child")
    }

    /// Writes to standard input.
    pub(crate) fn write(&mut self, text: &str) {
        self.input
            .write_all(text.as_bytes())
            .expect("standard input takes it");
    }

    /// Waits for a line of the log that has this text.
    pub(crate) fn logged(&self, text: &str) -> String {
        self.process.line_with(text)
    }

    /// Returns its end of the connection of a client.
    pub(crate) fn socket_to(&self, client: SocketAddr) -> Option<TcpStream> {
        self.process.socket_to(client)
    }

    fn start_at(address: &str) -> Self {
        let mut child = Command::new(&*EXAMPLE)
            .arg(address)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let input = child.stdin.take().expect("standard input is piped");
        let log = child.stderr.take().expect("standard error is piped");
        let process = Process::new(child, log);
        let line = process.line_with("listening on http://");
        let address = line.trim_start_matches("listening on http://");
        let address = address.split(',').next().unwrap_or_default().to_owned();
        Self {
            address,
            input,
            process,
        }
    }
}

/// An example that was killed.
#[derive(Debug)]
pub(crate) struct Killed {
    address: String,
}

impl Killed {
    /// Starts another one on the same port.
    pub(crate) fn start_again(self) -> Server {
        Server::start_at(&self.address)
    }
}

static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| example("serve"));
