//! The examples as processes, clients over raw sockets, and what those are to receive.

mod balancer;
mod engine;
mod event_stream;
mod example;
mod expected;
mod follow;
mod http1;
mod http2;
mod nginx;
mod node;
mod page;
mod proxy;
mod server;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use balancer::Balancer;
pub(crate) use engine::{Engine, Kind};
pub(crate) use event_stream::EventStream;
pub(crate) use example::{
    AXUM, CLUSTER, EXAMPLES, Example, HYPER_TOKIO, NOTIFY, TONIC, TOWER_HTTP, each,
};
pub(crate) use expected::{HELLO_AGAIN, echo, hello, reset, tick, ticks};
pub(crate) use follow::{Follower, Seen};
pub(crate) use http1::{Answer, Request};
pub(crate) use http2::EventStream2;
pub(crate) use nginx::Nginx;
pub(crate) use node::{Node, of_user, publication};
pub(crate) use page::Page;
pub(crate) use proxy::Proxy;
pub(crate) use server::Server;

/// The bound of all that has to happen soon; far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until there is an answer. What is wanted is told if it does not come.
pub(crate) fn until<T>(wanted: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(instead) if start.elapsed() > PATIENCE => panic!("not {wanted}, but {instead}"),
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}
