//! Connections: one that the calls share, and others for readers.

use core::time::Duration;
use std::sync::Arc;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;

use crate::error::Error;
use crate::stream::{Connect, Names, Stream};

/// The time for an answer, and for a connection.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) names: Arc<Names>,
    connect: Arc<Connect>,
    shared: Arc<Mutex<Option<MultiplexedConnection>>>,
}

impl Connections {
    pub(crate) fn new(stream: &Stream) -> Self {
        Self {
            names: Arc::clone(&stream.names),
            connect: Arc::clone(&stream.connect),
            shared: Arc::default(),
        }
    }

    /// Returns the connection that calls share.
    pub(crate) async fn get(&self) -> Result<MultiplexedConnection, Error> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &*shared {
            return Ok(connection.clone());
        }
        let connection = (self.connect)(config().set_response_timeout(Some(TIMEOUT))).await?;
        Ok(shared.insert(connection).clone())
    }

    /// Opens a connection whose answers may take any time, as `XREAD BLOCK` does.
    pub(crate) async fn open(&self) -> Result<MultiplexedConnection, Error> {
        Ok((self.connect)(config().set_response_timeout(None)).await?)
    }

    /// Drops the shared connection if an error says that another is needed.
    pub(crate) async fn note(&self, error: &Error) {
        if error.is_of_connection() {
            *self.shared.lock().await = None;
        }
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT))
}
