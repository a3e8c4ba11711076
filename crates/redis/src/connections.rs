//! Connections: one that the calls share, and others for readers.

use core::future::Future;
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::Error;
use crate::stream::{Connect, Names, Stream};

/// The time for an answer, and for a connection.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) names: Arc<Names>,
    connect: Arc<Connect>,
    shared: Arc<Mutex<Option<Shared>>>,
    /// The number of connections so far.
    count: Arc<AtomicU64>,
}

/// The connection that calls share, and a number that no later one has.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) connection: MultiplexedConnection,
    number: u64,
}

impl Connections {
    pub(crate) fn new(stream: &Stream) -> Self {
        Self {
            names: Arc::clone(&stream.names),
            connect: Arc::clone(&stream.connect),
            shared: Arc::default(),
            count: Arc::default(),
        }
    }

    /// Returns connections to the same Redis that share none with these.
    pub(crate) fn apart(&self) -> Self {
        Self {
            shared: Arc::default(),
            count: Arc::default(),
            ..self.clone()
        }
    }

    /// Returns the connection that calls share. The time is for those who wait for it, too.
    pub(crate) async fn get(&self) -> Result<Shared, Error> {
        in_time(async {
            let mut shared = self.shared.lock().await;
            if let Some(shared) = &*shared {
                return Ok(shared.clone());
            }
            let config = config().set_response_timeout(Some(TIMEOUT));
            let one = Shared {
                connection: (self.connect)(config).await?,
                number: self.count.fetch_add(1, Ordering::Relaxed),
            };
            Ok(shared.insert(one).clone())
        })
        .await
    }

    /// Opens a connection whose answers may take any time, as `XREAD BLOCK` does.
    pub(crate) async fn open(&self) -> Result<MultiplexedConnection, Error> {
        in_time(async { Ok((self.connect)(config().set_response_timeout(None)).await?) }).await
    }

    /// Lets the next call open another connection if an error of this one says so.
    pub(crate) async fn note(&self, used: &Shared, error: &Error) {
        if error.is_of_connection() {
            let mut shared = self.shared.lock().await;
            shared.take_if(|one| one.number == used.number);
        }
    }
}

async fn in_time<T>(connect: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Err(RedisError::from(io::Error::from(io::ErrorKind::TimedOut)).into());
    timeout(TIMEOUT, connect).await.unwrap_or_else(|_| late())
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_connection_does_not_wait_for_the_others() {
        let stream = Stream::with_connect("s", |_| core::future::pending()).unwrap();
        let connections = Connections::new(&stream);
        let begun = Instant::now();
        let all = join_all((0..5).map(|_| connections.get())).await;
        assert!(all.iter().all(Result::is_err));
        assert!(connections.open().await.is_err());
        assert_eq!(begun.elapsed().as_secs(), 2 * TIMEOUT.as_secs());
    }

    #[tokio::test]
    async fn a_late_error_leaves_the_next_connection_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // What a client asks first is granted.
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut asked = [0; 4096];
                    while let Ok(len @ 1..) = client.read(&mut asked).await {
                        let asked = asked[..len].iter().filter(|byte| **byte == b'*');
                        let answers = "+OK\r\n".repeat(asked.count());
                        client.write_all(answers.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let connections = Connections::new(&Stream::new(client, "s").unwrap());
        let old = connections.get().await.unwrap();
        connections.note(&old, &Error::NotMaster).await;
        let new = connections.get().await.unwrap();
        assert_ne!(new.number, old.number);
        connections.note(&old, &Error::NotMaster).await;
        assert_eq!(connections.get().await.unwrap().number, new.number);
        connections.note(&new, &Error::NoStream).await;
        assert_eq!(connections.get().await.unwrap().number, new.number);
    }
}
