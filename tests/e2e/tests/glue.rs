//! What the examples are as texts: short, found from the README, and on sockets that hold nothing back.

use std::fs;
use std::path::Path;

use crate::support::EXAMPLES;

#[test]
fn each_example_is_linked_in_the_readme_and_short_and_says_why_it_sets_tcp_nodelay() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    for example in EXAMPLES {
        let path = format!("examples/mounted/{}/main.rs", example.name);
        assert!(readme.contains(&format!("]({path})")), "no link to {path}");
        let text = fs::read_to_string(root.join(&path)).expect("an example");
        let lines = text.lines().map(str::trim_start);
        let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        assert!(code.count() < 60, "{path} is more than glue");
        let set = text.find("nodelay(").expect("TCP_NODELAY");
        let above: Vec<&str> = text[..set].lines().rev().take(4).collect();
        let reason = above.iter().any(|line| line.contains("// "));
        assert!(reason, "{path} does not say why: {above:?}");
    }
}

#[test]
fn the_programs_in_the_readme_are_ones_that_build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = |path: &str| fs::read_to_string(root.join(path)).expect("a file");
    for path in ["main.rs", "tokens.rs"] {
        let server = text(&format!("examples/mounted/smallest/{path}"));
        let (_, code) = server.split_once("\n\n").expect("a line about it");
        let shown = format!("```rust,ignore\n{code}```\n");
        assert!(
            text("README.md").contains(&shown),
            "not in the README: {code}"
        );
    }
    // It is a test of that crate.
    let client = text("crates/reqwest/README.md");
    let (_, code) = client.split_once("```rust,no_run\n").expect("a program");
    let (code, _) = code.split_once("```").expect("its end");
    assert!(
        text("README.md").contains(code),
        "not in the README: {code}"
    );
}
