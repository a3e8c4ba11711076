//! A child process, and the lines that it writes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open,
};

use crate::PATIENCE;

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    /// The process.
    pub child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Takes a child and the output of it that is of interest.
    pub fn new(child: Child, output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            // Read on when nobody listens any more: a full pipe would stop the program.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Waits for a line that has this text.
    pub fn line_with(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no line with {text:?}: {error}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends what Ctrl-C sends.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends SIGTERM, with which a service manager ends a process.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGSTOP: the process holds its connections and does nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT, after which a process that was paused goes on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is a child");
    }

    /// Returns the program's end of its connection with a client, as another handle of the same socket: so its options are
    /// seen as the system has them. `None`, with a line that says so, where the system lets no process look into another:
    /// what is not Linux, and some containers.
    pub fn socket_to(&self, client: SocketAddr) -> Option<TcpStream> {
        let pid = Pid::from_child(&self.child);
        let process = pidfd_open(pid, PidfdFlags::empty()).expect("it runs");
        let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("its files");
        let numbers = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok());
        for number in numbers {
            let socket = match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
                Ok(file) => TcpStream::from(file),
                Err(Errno::PERM | Errno::NOSYS) => {
                    eprintln!("LEFT OUT: the sockets of another process can't be seen here.");
                    return None;
                }
                // It was closed meanwhile.
                Err(_) => continue,
            };
            // What is no connection has no peer.
            if socket.peer_addr().is_ok_and(|peer| peer == client) {
                return Some(socket);
            }
        }
        panic!("no connection with this client");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
