//! Nodes and the server are killed all the time, and clients hop between the nodes: see
//! `sse_proto_testing::kill`.

mod support;

use std::collections::HashMap;

use sse_proto_redis::{Limits, Redis, Stream};
use sse_proto_testing::kill::{self, Logged};
use support::{HOUR, Server, client};

fn main() {
    kill::main::<Server>();
}

impl kill::Server for Server {
    type Engine = Redis;

    async fn start(most: usize) -> Self {
        let server = Self::start(&["--appendonly", "yes", "--appendfsync", "no"]).await;
        let stream = Stream::new(server.client(), "s").unwrap();
        stream.create(&Limits::new(most, HOUR)).await.unwrap();
        server
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn kill(&mut self) {
        self.kill();
    }

    async fn restart(&mut self) {
        self.restart().await;
    }

    async fn open(port: u16) -> Option<Redis> {
        Stream::new(client(port), "s").unwrap().engine().await.ok()
    }

    async fn tick(port: u16) {
        let connection = client(port).get_multiplexed_async_connection().await;
        let mut tick = redis::cmd("SET");
        tick.arg("tick").arg(1);
        let () = tick.query_async(&mut connection.unwrap()).await.unwrap();
    }

    async fn read(port: u16, from: Option<&str>) -> Option<Vec<Logged>> {
        let connection = client(port).get_multiplexed_async_connection().await;
        let mut range = redis::cmd("XRANGE");
        range.arg("s").arg(from.unwrap_or("-")).arg("+");
        range.arg("COUNT").arg(1000);
        let entries: Vec<(String, HashMap<String, String>)> =
            range.query_async(&mut connection.ok()?).await.ok()?;
        let logged = |(place, mut fields): (String, HashMap<String, String>)| Logged {
            place,
            topic: fields.remove("topic"),
            data: fields.remove("data").unwrap(),
        };
        Some(entries.into_iter().map(logged).collect())
    }
}
