//! An example as a process.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};

use programs::Process;
use serde::Deserialize;

use super::example::BARE_METAL;
use super::http1::Request;
use super::{Example, until};

/// Any free port, but not of the address that clients connect from: one of them might take the port of a server that is
/// killed before the next is there.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 0);

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    arguments: [String; 2],
    program: &'static Path,
    limit: &'static str,
    /// The end of the firmware's standard input ends the firmware.
    stdin: Option<ChildStdin>,
    process: Process,
}

impl Server {
    /// Starts an example on a free port, and returns once it listens. It ticks with this interval in milliseconds, 0 for
    /// never, and keeps silent streams alive with this one in seconds.
    pub(crate) fn start(example: Example, tick: u32, keep_alive: u32) -> Self {
        let arguments = [tick.to_string(), keep_alive.to_string()];
        Self::start_at(ANY, example.program(), arguments, "")
    }

    /// Starts an example that ticks never, with a limit of what the system gives it, such as `-n 64`: see `help ulimit`.
    pub(crate) fn start_within(limit: &'static str, example: Example) -> Self {
        let arguments = ["0", "600"].map(String::from);
        Self::start_at(ANY, example.program(), arguments, limit)
    }

    /// Starts the firmware.
    pub(crate) fn start_bare_metal() -> Self {
        Self::start_at(ANY, &BARE_METAL, Default::default(), "")
    }

    /// Kills it, and starts another on the same port.
    pub(crate) fn killed_and_started_again(self) -> Self {
        let (address, program, limit) = (self.address, self.program, self.limit);
        let arguments = self.arguments.clone();
        drop(self);
        Self::start_at(address, program, arguments, limit)
    }

    /// Has it shut down, which is not awaited.
    pub(crate) fn shut_down(&mut self) {
        if self.stdin.take().is_none() {
            self.process.terminate();
        }
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        self.process.interrupt();
    }

    /// Waits for its end.
    pub(crate) fn exit_status(&mut self) -> ExitStatus {
        self.exit_status_while(|| {})
    }

    /// Waits for its end, and does something again and again meanwhile.
    pub(crate) fn exit_status_while(&mut self, mut meanwhile: impl FnMut()) -> ExitStatus {
        until("the end of the process", || {
            meanwhile();
            let status = self.process.child.try_wait().expect("it is a child");
            status.ok_or_else(|| "it runs on".into())
        })
    }

    /// Publishes to all.
    pub(crate) fn echo(&self, text: &str) {
        let answer = Request::post("/echo", text).send(self.address);
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    /// Returns what it has open, and how its last streams have ended.
    pub(crate) fn stats(&self) -> Stats {
        let answer = Request::get("/stats").send(self.address);
        serde_json::from_str(&answer.body).expect("statistics")
    }

    /// Waits for statistics, and returns them.
    pub(crate) fn until_stats(&self, wanted: &str, is: impl Fn(&Stats) -> bool) -> Stats {
        until(wanted, || {
            let stats = self.stats();
            if is(&stats) {
                Ok(stats)
            } else {
                Err(format!("{stats:?}"))
            }
        })
    }

    /// Returns how many sockets and how many threads the process has.
    pub(crate) fn holds(&self) -> Held {
        let process = format!("/proc/{}", self.process.child.id());
        let files = fs::read_dir(format!("{process}/fd")).expect("its files");
        // One may be gone by now.
        let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:"));
        let threads = fs::read_dir(format!("{process}/task")).expect("its threads");
        Held {
            sockets: sockets.count(),
            threads: threads.count(),
        }
    }

    /// Returns its end of the connection of a client, if the system lets one see it.
    pub(crate) fn socket_to(&self, client: SocketAddr) -> Option<TcpStream> {
        self.process.socket_to(client)
    }

    /// Returns how many files the process has.
    pub(crate) fn files(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.process.child.id()));
        files.expect("it runs").count()
    }

    fn start_at(
        address: SocketAddr,
        program: &'static Path,
        arguments: [String; 2],
        limit: &'static str,
    ) -> Self {
        let mut command = Command::new(program);
        if !limit.is_empty() {
            command = Command::new("sh");
            command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
            command.arg(program);
        }
        let stdin = if program == *BARE_METAL {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let mut child = command
            .arg(address.to_string())
            .args(&arguments)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let stdin = child.stdin.take();
        let output = child.stdout.take().expect("standard output is piped");
        let process = Process::new(child, output);
        let line = process.line_with("listening on http://");
        let address = line.rsplit('/').next().and_then(|text| text.parse().ok());
        Self {
            address: address.expect("an address"),
            arguments,
            program,
            limit,
            stdin,
            process,
        }
    }
}

/// What a server tells of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    pub(crate) open: usize,
    pub(crate) lagging: usize,
    pub(crate) published: u64,
    pub(crate) retained_bytes: u64,
    pub(crate) ended: u64,
    pub(crate) last_ends: Vec<String>,
}

/// What a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) sockets: usize,
    pub(crate) threads: usize,
}
