//! A balancer in front of the nodes of a cluster, with the configuration that the example shows.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use programs::Process;
use tempfile::TempDir;

use super::until;

/// A running balancer. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Balancer {
    /// Starts `nginx` in front of three nodes.
    pub(crate) fn nginx(nodes: [SocketAddr; 3]) -> Self {
        // One process, which ends when it is killed.
        let one = "master_process off;";
        let arguments = ["-g", one, "-e", "stderr", "-p", "./", "-c", "nginx.conf"];
        Self::start("nginx", &arguments, nodes)
    }

    /// Starts `haproxy` in front of three nodes.
    pub(crate) fn haproxy(nodes: [SocketAddr; 3]) -> Self {
        Self::start("haproxy", &["-f", "haproxy.cfg"], nodes)
    }

    /// Starts a program, whose last argument is the name of its configuration.
    fn start(program: &str, arguments: &[&str], nodes: [SocketAddr; 3]) -> Self {
        // Where nothing else of these tests listens or connects from, so that it stays free.
        let free = TcpListener::bind("127.0.0.3:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let name = arguments.last().expect("a name");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/cluster");
        let mut text = fs::read_to_string(example.join(name)).expect("a configuration");
        let shown = [
            "127.0.0.1:8080",
            "127.0.0.1:8081",
            "127.0.0.1:8082",
            "127.0.0.1:8083",
        ];
        for (shown, here) in shown.into_iter().zip([&[address], &nodes[..]].concat()) {
            assert!(text.contains(shown), "{name} does not have {shown}");
            text = text.replace(shown, &here.to_string());
        }
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join(name), text).expect("a configuration");
        // Where Debian has it, which is not in the path of every user.
        let debian = Path::new("/usr/sbin").join(program);
        let path = if debian.exists() {
            &debian
        } else {
            Path::new(program)
        };
        let mut child = Command::new(path)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("no {program} (apt-get install {program}): {error}"));
        let output = child.stderr.take().expect("it is piped");
        let mut balancer = Self {
            address,
            process: Process::new(child, output),
            _folder: folder,
        };
        until("the balancer listens", || {
            let ended = balancer.process.child.try_wait().expect("it is a child");
            assert!(ended.is_none(), "{program} ends");
            TcpStream::connect(address).map_err(|error| error.to_string())
        });
        balancer
    }
}
