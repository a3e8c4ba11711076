//! The server as a process: what it costs, as the kernel counts it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::server::Kind;

/// A server that runs, and ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The port that it listens on.
    pub(crate) port: u16,
    control: TcpStream,
}

impl Server {
    /// Starts this program anew, as a server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub(crate) fn start(kind: Kind) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["serve", kind.name()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its port");
        let port = line.trim().parse().expect("a port");
        let control = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        control.set_nodelay(true).expect("an option");
        Self {
            child,
            port,
            control,
        }
    }

    /// Has it publish some events.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub(crate) fn publish(&mut self, from: u64, events: u64) {
        let request = format!(
            "POST /publish?from={from}&events={events} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
        );
        self.control
            .write_all(request.as_bytes())
            .expect("it reads");
    }

    /// Reads the answers to `requests` publications.
    ///
    /// # Panics
    ///
    /// When one of them was refused.
    pub(crate) fn confirm(&mut self, requests: usize) {
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while seen.windows(4).filter(|four| four == b"\r\n\r\n").count() < requests {
            let len = self.control.read(&mut buffer).expect("it answers");
            assert!(len > 0, "it answers");
            seen.extend_from_slice(&buffer[..len]);
        }
        let accepted = seen
            .windows(12)
            .filter(|start| start == b"HTTP/1.1 204")
            .count();
        assert_eq!(accepted, requests, "{}", String::from_utf8_lossy(&seen));
    }

    /// How long its threads have run.
    ///
    /// # Panics
    ///
    /// When the system does not say: it is Linux that does.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = format!("/proc/{}/task", self.child.id());
        let tasks = fs::read_dir(tasks).expect("Linux").map_while(Result::ok);
        let ran = tasks.map(|task| {
            let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanos = times.split(' ').next().and_then(|nanos| nanos.parse().ok());
            Duration::from_nanos(nanos.unwrap_or(0))
        });
        ran.sum()
    }

    /// The memory that it has in use, in bytes.
    ///
    /// # Panics
    ///
    /// When the system does not say: it is Linux that does.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        1024 * kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
