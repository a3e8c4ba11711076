//! Nodes and the server are killed all the time, and clients hop between the nodes: see
//! `sse_proto_testing::kill`.

mod support;

use futures_util::future::join_all;
use sse_proto_nats::async_nats::{self, jetstream};
use sse_proto_nats::{Limits, Nats};
use sse_proto_testing::HOUR;
use sse_proto_testing::kill::{self, Logged};
use support::{Server, stream};

fn main() {
    kill::main::<Server>();
}

impl kill::Server for Server {
    type Engine = Nats;

    async fn start(most: usize) -> Self {
        let server = Self::start(&[]).await;
        let limits = Limits::new(most as u64, HOUR);
        server.stream().create(&limits).await.unwrap();
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

    async fn open(port: u16) -> Option<Nats> {
        stream(port).engine().await.ok()
    }

    async fn tick(port: u16) {
        let client = async_nats::connect(support::url(port)).await.unwrap();
        client.request("$JS.API.INFO", "".into()).await.unwrap();
    }

    async fn read(port: u16, from: Option<&str>) -> Option<Vec<Logged>> {
        let client = async_nats::connect(support::url(port)).await.ok()?;
        let context = jetstream::new(client);
        let stream = &context.get_stream_no_info("s").await.ok()?;
        let from = from.map_or(1, |place| place.split_once('-').unwrap().1.parse().unwrap());
        let to = stream.get_info().await.ok()?.state.last_sequence;
        let gets = (from..=to.min(from + 500)).map(|seq| stream.get_raw_message(seq));
        let got = join_all(gets).await.into_iter();
        let logged = got.map(|got| Some(logged(&got.ok()?)));
        logged.collect()
    }
}

fn logged(message: &jetstream::message::StreamMessage) -> Logged {
    let ms = message.time.unix_timestamp_nanos() / 1_000_000;
    let payload = str::from_utf8(&message.payload).unwrap();
    // No value of this test has a line feed.
    let lines: Vec<_> = payload.lines().collect();
    let field = |name: &str| {
        let fields = lines.chunks(2).find(|field| field[0].starts_with(name));
        fields.map(|field| field[1].to_owned())
    };
    Logged {
        place: format!("{ms}-{}", message.sequence),
        topic: field("topic "),
        data: field("data ").unwrap(),
    }
}
