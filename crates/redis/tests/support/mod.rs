//! A redis-server in a folder of its own.

#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use sse_proto_redis::{Limits, Options, Publisher, Relay, Stream};
use sse_proto_testing::Process;
use tokio::time::{Instant, sleep};

#[allow(unused_imports, reason = "each test program uses a part")]
pub(crate) use sse_proto_testing::{
    HOUR, Link, Proxy, data, end, entry, eventually, free_port, until,
};

/// A redis-server, ended with this value.
pub(crate) struct Server {
    process: Process,
    pub(crate) port: u16,
}

impl Server {
    /// Starts one that replicates another.
    pub(crate) async fn replica_of(master: &Self) -> Self {
        let port = master.port.to_string();
        Self::start(&["--replicaof", "127.0.0.1", &port]).await
    }

    /// Starts a sentinel that watches a master, whose name is `m`, and its replicas.
    pub(crate) async fn sentinel_of(master: &Self) -> Self {
        let port = master.port.to_string();
        let config = format!(
            "sentinel monitor m 127.0.0.1 {port} 1\nsentinel down-after-milliseconds m 300\n\
             sentinel failover-timeout m 3000\n"
        );
        Self::start_with(Some(config), &["--sentinel"]).await
    }

    pub(crate) async fn start(args: &[&str]) -> Self {
        Self::start_with(None, args).await
    }

    async fn start_with(config: Option<String>, args: &[&str]) -> Self {
        let port = free_port();
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        let process = Process::start(move |dir| {
            let mut command = Command::new("redis-server");
            if let Some(config) = &config {
                let file = dir.join("own.conf");
                fs::write(&file, config).unwrap();
                // A file is the first argument.
                command.arg(file);
            }
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
            command.args(["--dir", dir.to_str().unwrap(), "--save", ""]);
            command.args(&args).stdout(Stdio::null());
            command
        });
        let server = Self { process, port };
        server.wait().await;
        server
    }

    async fn wait(&self) {
        let client = self.client();
        let start = Instant::now();
        loop {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let pong: redis::RedisResult<String> =
                    redis::cmd("PING").query_async(&mut connection).await;
                if pong.is_ok() {
                    return;
                }
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "redis-server did not start"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn client(&self) -> redis::Client {
        client(self.port)
    }

    /// Kills it with -9.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again in its folder.
    pub(crate) async fn restart(&mut self) {
        self.process.restart();
        self.wait().await;
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// Runs a command, given as words.
    pub(crate) async fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = self.client();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query_async(&mut connection).await.unwrap()
    }
}

/// Returns a client of a port on this machine.
pub(crate) fn client(port: u16) -> redis::Client {
    redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap()
}

/// Makes a stream `s`.
pub(crate) async fn create(client: redis::Client) -> Stream {
    let stream = Stream::new(client, "s").unwrap();
    stream.create(&Limits::new(100_000, HOUR)).await.unwrap();
    stream
}

pub(crate) async fn relay(stream: &Stream, options: Options) -> Relay {
    Relay::open(stream.engine().await.unwrap(), options)
        .await
        .unwrap()
}

pub(crate) async fn publisher(stream: &Stream) -> Publisher {
    Publisher::open(stream.engine().await.unwrap())
        .await
        .unwrap()
}
