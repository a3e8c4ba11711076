//! `Proxy`, between a client and a server.

use core::time::Duration;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// What a proxy does with connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// Passes everything.
    Up,
    /// No connections, and none that were there before.
    Down,
    /// Connections stay, and new ones come, but nothing passes.
    Silent,
    /// Each reply takes this number of milliseconds.
    Slow(u64),
    /// Requests pass. The first reply cuts the connection, and from then on it is as `Up`.
    LoseReply,
}

/// Between a client and a server on this machine.
#[derive(Debug)]
pub struct Proxy {
    /// The port to connect to.
    pub port: u16,
    link: Arc<watch::Sender<Link>>,
}

impl Proxy {
    /// Starts a proxy to the port of a server.
    pub async fn start(to: u16) -> Self {
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

    /// Changes what it does.
    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }
}

async fn pass(mut client: TcpStream, to: u16, link: Arc<watch::Sender<Link>>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let (mut down, mut passes) = (link.subscribe(), link.subscribe());
    let (mut asked, mut told) = ([0; 65536], [0; 65536]);
    loop {
        let moved = async {
            let len = tokio::select! {
                len = client.read(&mut asked) => len.map(|len| (len, true)),
                len = server.read(&mut told) => len.map(|len| (len, false)),
            };
            let (len, is_request) = len.ok().filter(|(len, _)| *len > 0)?;
            passes.wait_for(|link| *link != Link::Silent).await.ok()?;
            if is_request {
                return server.write_all(&asked[..len]).await.ok();
            }
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
            if lost {
                return None;
            }
            client.write_all(&told[..len]).await.ok()
        };
        tokio::select! {
            () = async { drop(down.wait_for(|link| *link == Link::Down).await) } => return,
            moved = moved => if moved.is_none() {
                return;
            },
        }
    }
}
