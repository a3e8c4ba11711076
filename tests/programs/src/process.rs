//! A child process, and the lines that it writes.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;

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
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
