//! `Process`, a server in a folder of its own.

use core::fmt;
use core::time::Duration;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

type Start = dyn Fn(&Path) -> Command + Send + Sync;

/// A server with a folder of its own. Both end with this value.
pub struct Process {
    child: Child,
    dir: PathBuf,
    start: Box<Start>,
}

static PROCESSES: AtomicU32 = AtomicU32::new(0);

impl Process {
    /// Starts a server. The function is given its folder.
    pub fn start(start: impl Fn(&Path) -> Command + Send + Sync + 'static) -> Self {
        let number = PROCESSES.fetch_add(1, Ordering::Relaxed);
        let name = format!("sse-proto-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        let child = spawn(&start, &dir);
        Self {
            child,
            dir,
            start: Box::new(start),
        }
    }

    /// Returns its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Kills it with -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again in its folder.
    pub fn restart(&mut self) {
        self.child = spawn(&*self.start, &self.dir);
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// Sends it a signal: `-STOP`, for example.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
        // A process stops a moment later.
        let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        while signal == "-STOP" && !state().contains(") T") {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended if the test killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("child", &self.child)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

fn spawn(start: &(impl Fn(&Path) -> Command + ?Sized), dir: &Path) -> Child {
    let mut command = start(dir);
    let child = command.spawn();
    child.unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()))
}

/// Returns a port that nobody listens to.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
