//! A nats-server in a folder of its own.

#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sse_proto_nats::async_nats::{self, Client, ConnectOptions};
use sse_proto_nats::{Limits, Options, Publisher, Relay, Stream};
use sse_proto_testing::{HOUR, Process, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// A nats-server with JetStream, ended with this value.
pub(crate) struct Server {
    process: Process,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn start(args: &[&str]) -> Self {
        let server = Self::spawn(None, args);
        server.wait().await;
        server
    }

    /// Starts one with a configuration.
    pub(crate) async fn with_config(config: &str) -> Self {
        let server = Self::without_wait(config);
        server.wait().await;
        server
    }

    /// Starts one with a configuration that may keep others from asking whether it is there.
    pub(crate) fn without_wait(config: &str) -> Self {
        Self::spawn(Some(config.to_owned()), &[])
    }

    fn spawn(config: Option<String>, args: &[&str]) -> Self {
        let port = free_port();
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        let process = Process::start(move |dir| {
            let mut command = Command::new("nats-server");
            command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string()]);
            command.arg("-sd").arg(dir).args(&args);
            if let Some(config) = &config {
                let file = dir.join("own.conf");
                fs::write(&file, config).unwrap();
                command.arg("-c").arg(file);
            }
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        });
        Self { process, port }
    }

    /// Waits until JetStream answers.
    pub(crate) async fn wait(&self) {
        let start = Instant::now();
        loop {
            let time = Duration::from_secs(20);
            assert!(start.elapsed() < time, "nats-server did not start");
            if let Ok(client) = async_nats::connect(&url(self.port)).await
                // Within a cluster, this is a leader that was elected.
                && client.request("$JS.API.INFO", "".into()).await.is_ok()
            {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.process.dir()
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

    /// Ends it after it has written everything.
    pub(crate) async fn stop(&mut self) {
        self.process.signal("-TERM");
        self.process.wait();
    }

    /// Copies its folder.
    pub(crate) fn copy(&self) -> PathBuf {
        let copy = self.dir().with_extension("copy");
        copy_dir(self.dir(), &copy);
        copy
    }

    /// Puts a copy in the place of its folder.
    pub(crate) fn put_back(&self, copy: &Path) {
        fs::remove_dir_all(self.dir()).unwrap();
        fs::rename(copy, self.dir()).unwrap();
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    pub(crate) fn url(&self) -> String {
        url(self.port)
    }

    pub(crate) fn stream(&self) -> Stream {
        stream(self.port)
    }

    pub(crate) async fn client(&self) -> Client {
        async_nats::connect(&url(self.port)).await.unwrap()
    }

    /// Calls the JetStream API.
    pub(crate) async fn call(&self, what: &str, ask: Value) -> Value {
        let subject = format!("$JS.API.{what}");
        let ask = match ask {
            Value::Null => String::new(),
            ask => ask.to_string(),
        };
        let answer = self.client().await.request(subject, ask.into()).await;
        serde_json::from_slice(&answer.unwrap().payload).unwrap()
    }

    /// Calls the JetStream API, which must not refuse.
    pub(crate) async fn run(&self, what: &str, ask: Value) -> Value {
        let answer = self.call(what, ask).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer
    }

    pub(crate) async fn info(&self) -> Value {
        self.run("STREAM.INFO.s", Value::Null).await
    }

    /// Returns how many messages the stream has.
    pub(crate) async fn len(&self) -> u64 {
        self.info().await["state"]["messages"].as_u64().unwrap()
    }

    /// Keeps the newest messages.
    pub(crate) async fn trim(&self, keep: u64) {
        self.run("STREAM.PURGE.s", json!({ "keep": keep })).await;
    }

    pub(crate) async fn delete(&self, seq: u64) {
        self.run("STREAM.MSG.DELETE.s", json!({ "seq": seq })).await;
    }

    /// Publishes any payload.
    pub(crate) async fn put(&self, payload: &str) -> u64 {
        let client = self.client().await;
        let ack = client.request("s", payload.to_owned().into()).await;
        let ack: Value = serde_json::from_slice(&ack.unwrap().payload).unwrap();
        ack["seq"].as_u64().unwrap_or_else(|| panic!("{ack}"))
    }

    /// Publishes any headers, of which the client would refuse some.
    pub(crate) async fn put_raw(&self, headers: &[u8], payload: &[u8]) {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (len, total) = (headers.len(), headers.len() + payload.len());
        let connect = r#"CONNECT {"headers":true,"verbose":false,"pedantic":false}"#;
        let publish = format!("{connect}\r\nHPUB s {len} {total}\r\n");
        let end: &[u8] = b"\r\nPING\r\n";
        let all = [publish.as_bytes(), headers, payload, end].concat();
        socket.write_all(&all).await.unwrap();
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        while !text.contains("PONG") {
            let len = socket.read(&mut buffer).await.unwrap();
            text.push_str(str::from_utf8(&buffer[..len]).unwrap());
            assert!(len > 0 && !text.contains("-ERR"), "{text}");
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

pub(crate) fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}

/// Makes a certificate of `localhost` and its key, in a folder of their own.
pub(crate) fn certificate() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("sse-proto-{}-tls", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1"]);
    openssl.args([
        "-subj",
        "/CN=localhost",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let made = openssl.current_dir(&dir).stderr(Stdio::null()).status();
    assert!(made.unwrap().success());
    dir
}

/// Starts three servers that are one cluster.
pub(crate) async fn cluster() -> [Server; 3] {
    let routes = [free_port(), free_port(), free_port()];
    let start = |number: usize| {
        let route = |port| format!("nats://127.0.0.1:{port}");
        let (own, all) = (route(routes[number]), routes.map(route).join(","));
        async move {
            let name = format!("n{number}");
            Server::start(&[
                "-n",
                &name,
                "--cluster_name",
                "c",
                "--cluster",
                &own,
                "--routes",
                &all,
            ])
            .await
        }
    };
    tokio::join!(start(0), start(1), start(2)).into()
}

/// Names the stream `s`.
pub(crate) fn stream(port: u16) -> Stream {
    Stream::new(ConnectOptions::new(), url(port), "s").unwrap()
}

/// Makes the stream `s`.
pub(crate) async fn create(server: &Server) -> Stream {
    let stream = server.stream();
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
