//! The built examples as programs.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Returns the command of a built example, which is next to the folder of this test.
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
