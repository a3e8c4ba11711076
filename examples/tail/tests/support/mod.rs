//! The examples as programs.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// A built example of the workspace: it lies beside the folder of this test.
pub(crate) fn example(name: &str) -> Command {
    let mut path: PathBuf = env::current_exe().expect("a test has a path");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(
        path.exists(),
        "run `cargo build --example {name}` before this test alone"
    );
    Command::new(path)
}
