//! A redis-server of a test.

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use programs::Process;
use tempfile::TempDir;

/// A running redis-server. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) url: String,
    pub(crate) process: Process,
    _folder: TempDir,
}

impl Redis {
    /// Returns an address where one can be started.
    pub(crate) fn free_address() -> SocketAddr {
        // Where nothing else of these tests listens or connects from, so that it stays free.
        let free = TcpListener::bind("127.0.0.4:0").and_then(|listener| listener.local_addr());
        free.expect("a free port")
    }

    pub(crate) fn start(address: SocketAddr) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut child = Command::new("redis-server")
            .args(["--bind", &address.ip().to_string()])
            .args(["--port", &address.port().to_string()])
            .args(["--save", "", "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("no redis-server (apt-get install): {error}"));
        let output = child.stdout.take().expect("it is piped");
        let process = Process::new(child, output);
        process.line_with("Ready to accept connections");
        Self {
            url: format!("redis://{address}/"),
            process,
            _folder: folder,
        }
    }
}
