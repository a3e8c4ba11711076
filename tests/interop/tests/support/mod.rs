//! The clients, the servers and the table.

mod browser;
mod cases;
mod client;
mod files;
mod folder;
mod ours;
mod protocols;
mod seen;
mod server;
mod silence;
mod story;
mod table;

use std::process::Command;
use std::time::Duration;

pub(crate) use browser::Engine;
pub(crate) use client::{CLIENTS, Client, RunsOn, output};
pub(crate) use folder::Folder;
pub(crate) use ours::SERVERS;
pub(crate) use table::{Row, Table};

/// The longest time for one client or server. A client that is stuck ends itself earlier.
const PATIENCE: Duration = Duration::from_mins(2);

/// Keeps a program's requests on this machine: those to other hosts go to a proxy that does not exist.
fn quiet(command: &mut Command) {
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, "http://127.0.0.1:9");
        command.env(name.to_uppercase(), "http://127.0.0.1:9");
    }
    command
        .env("no_proxy", "127.0.0.1")
        .env("NO_PROXY", "127.0.0.1");
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NODE_NO_WARNINGS", "1");
    command.env("OTEL_SDK_DISABLED", "true");
}
