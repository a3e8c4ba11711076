//! An engine of a test: a redis-server, or a nats-server.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use programs::Process;
use tempfile::TempDir;

/// Which engine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Redis,
    Nats,
}

/// A running engine. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) process: Process,
    _folder: TempDir,
}

impl Kind {
    /// Returns an address where an engine can be started.
    pub(crate) fn free_address() -> SocketAddr {
        // Where nothing else of these tests listens or connects from, so that it stays free.
        let free = TcpListener::bind("127.0.0.4:0").and_then(|listener| listener.local_addr());
        free.expect("a free port")
    }

    /// Returns the arguments of a node.
    pub(crate) fn arguments(self, address: SocketAddr) -> [String; 2] {
        match self {
            Self::Redis => ["--redis".to_owned(), format!("redis://{address}/")],
            Self::Nats => ["--nats".to_owned(), format!("nats://{address}")],
        }
    }

    /// Starts an engine, and returns once it is ready.
    pub(crate) fn start(self, address: SocketAddr) -> Engine {
        let folder = TempDir::new().expect("a folder");
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let process = match self {
            Self::Redis => {
                let mut child = Command::new("redis-server")
                    .args(["--bind", &*ip, "--port", &*port, "--save", "", "--dir"])
                    .arg(folder.path())
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap_or_else(|error| panic!("no redis-server (apt-get install): {error}"));
                let output = child.stdout.take().expect("it is piped");
                let process = Process::new(child, output);
                process.line_with("Ready to accept connections");
                process
            }
            Self::Nats => {
                // Where Debian has it, which is not in the path of every user.
                let debian = Path::new("/usr/sbin/nats-server");
                let path = if debian.exists() {
                    debian
                } else {
                    Path::new("nats-server")
                };
                let mut child = Command::new(path)
                    .args(["-a", &*ip, "-p", &*port, "-js", "-sd"])
                    .arg(folder.path())
                    .stdin(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap_or_else(|error| panic!("no nats-server (apt-get install): {error}"));
                let output = child.stderr.take().expect("it is piped");
                let process = Process::new(child, output);
                process.line_with("Server is ready");
                process
            }
        };
        Engine {
            process,
            _folder: folder,
        }
    }
}
