//! A redis-server in a folder of its own, a proxy that loses what it is told to, and clients.

#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::net::TcpListener as StdListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use sse_proto::Event;
use sse_proto_redis::{Body, Entry, Limits, Options, Publisher, Relay, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// A redis-server, ended with this value.
pub(crate) struct Server {
    child: Child,
    dir: PathBuf,
    pub(crate) port: u16,
    args: Vec<String>,
}

static SERVERS: AtomicU32 = AtomicU32::new(0);

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
        Self::start_with(Some(&config), &["--sentinel"]).await
    }

    pub(crate) async fn start(args: &[&str]) -> Self {
        Self::start_with(None, args).await
    }

    async fn start_with(config: Option<&str>, args: &[&str]) -> Self {
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("sse-proto-redis-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        let port = free_port();
        let mut args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        if let Some(config) = config {
            let file = dir.join("own.conf");
            fs::write(&file, config).unwrap();
            args.insert(0, file.to_str().unwrap().to_owned());
        }
        let child = spawn(port, &dir, &args);
        let server = Self {
            child,
            dir,
            port,
            args,
        };
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
        redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap()
    }

    /// Kills it with -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again in its folder.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir, &self.args);
        self.wait().await;
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
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

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended if the test killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn spawn(port: u16, dir: &Path, args: &[String]) -> Child {
    // A file is the first argument.
    let (file, args) = args.split_at(args.iter().take_while(|arg| arg.ends_with(".conf")).count());
    Command::new("redis-server")
        .args(file)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--dir", dir.to_str().unwrap(), "--save", ""])
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server runs: apt-get install redis-server")
}

pub(crate) fn free_port() -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What a proxy does with connections.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Link {
    Up,
    /// No connections, and none that were there before.
    Down,
    /// Each reply takes this number of milliseconds.
    Slow(u64),
    /// Requests pass. The first reply cuts the connection, and from then on it is as `Up`.
    LoseReply,
}

/// Between a client and a server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    link: Arc<watch::Sender<Link>>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let link = Arc::new(watch::Sender::new(Link::Up));
        let sender = Arc::clone(&link);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *sender.borrow() != Link::Down {
                    tokio::spawn(pass(client, to, Arc::clone(&sender)));
                }
            }
        });
        Self { port, link }
    }

    pub(crate) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    pub(crate) fn client(&self) -> redis::Client {
        redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap()
    }
}

async fn pass(mut client: TcpStream, to: u16, link: Arc<watch::Sender<Link>>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let mut changed = link.subscribe();
    let (mut asked, mut told) = ([0; 65536], [0; 65536]);
    loop {
        tokio::select! {
            () = async { drop(changed.wait_for(|link| *link == Link::Down).await) } => return,
            len = client.read(&mut asked) => match len {
                Ok(len) if len > 0 && server.write_all(&asked[..len]).await.is_ok() => {}
                _ => return,
            },
            len = server.read(&mut told) => match len {
                Ok(len) if len > 0 => {
                    let lost = link.send_if_modified(|link| {
                        let loses = *link == Link::LoseReply;
                        if loses {
                            *link = Link::Up;
                        }
                        loses
                    });
                    let now = *link.borrow();
                    if let Link::Slow(ms) = now {
                        sleep(Duration::from_millis(ms)).await;
                    }
                    if lost || client.write_all(&told[..len]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

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

pub(crate) fn entry(data: &str) -> Entry {
    Entry::new(&Event::message(data)).unwrap()
}

/// Reads from a stream until an event has the data, and returns all that came, as text.
pub(crate) async fn until(body: &mut Body, data: &str) -> String {
    let mut text = String::new();
    let ends = format!("data: {data}\n\n");
    let read = async {
        while !text.contains(&ends) {
            let chunk = body.next().await.unwrap_or_else(|| panic!("ended: {text}"));
            text.push_str(str::from_utf8(&chunk).unwrap());
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(15), read)
        .await
        .is_ok();
    assert!(in_time, "{data} did not come: {text}");
    text
}

/// Reads a stream to its end.
pub(crate) async fn end(body: &mut Body) -> String {
    let mut text = String::new();
    let read = async {
        while let Some(chunk) = body.next().await {
            text.push_str(str::from_utf8(&chunk).unwrap());
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(15), read)
        .await
        .is_ok();
    assert!(in_time, "no end: {text}");
    text
}

/// Waits until something is true.
pub(crate) async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(15), "not {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the data of events in the text of a stream.
pub(crate) fn data(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect()
}
