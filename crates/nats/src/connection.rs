//! Connections: one that the calls share, and others for readers.

use core::future::Future;
use core::pin::pin;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_nats::{Client, HeaderMap, Message, Request, Statistics};
use serde_json::{Value, json};
use sse_proto_relay::{AppendError, Record};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::api::{self, Answer, Info};
use crate::error::Error;
use crate::stream::Stream;

/// The time for an answer, and for a connection.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// How often a call that waits looks whether its connection is lost.
const TICK: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) struct Connections {
    stream: Stream,
    shared: Shared,
    for_many: Shared,
}

type Shared = Arc<Mutex<Option<Connection>>>;

impl Connections {
    pub(crate) fn new(stream: &Stream) -> Self {
        Self {
            stream: stream.clone(),
            shared: Arc::default(),
            for_many: Arc::default(),
        }
    }

    /// Returns the connection that calls share.
    pub(crate) async fn get(&self) -> Result<Connection, Error> {
        self.get_of(&self.shared).await
    }

    /// Returns the connection on which many messages come.
    pub(crate) async fn for_many(&self) -> Result<Connection, Error> {
        self.get_of(&self.for_many).await
    }

    async fn get_of(&self, shared: &Shared) -> Result<Connection, Error> {
        let get = async {
            let mut shared = shared.lock().await;
            if let Some(connection) = shared.as_ref().filter(|one| !one.is_lost()) {
                return Ok(connection.clone());
            }
            let connection = self.stream.connect().await?;
            Ok(shared.insert(connection).clone())
        };
        timeout(TIMEOUT, get)
            .await
            .unwrap_or(Err(Error::Disconnected))
    }

    /// Opens a connection of a reader's own.
    pub(crate) async fn open(&self) -> Result<Connection, Error> {
        let connect = timeout(TIMEOUT, self.stream.connect());
        connect.await.unwrap_or(Err(Error::Disconnected))
    }

    /// Lets the next call open another connection if an error of this one says so.
    pub(crate) async fn note(&self, connection: &Connection, error: &Error) {
        if error.is_of_connection() {
            connection.leave(&self.shared).await;
        }
    }

    /// Lets the next page open another connection.
    pub(crate) async fn drop_for_many(&self, connection: &Connection) {
        connection.leave(&self.for_many).await;
    }
}

/// A connection, as long as it lasts. The client's own reconnection is never used: what it has queued
/// would be sent at any later time, and a publication could outlast the memory of its key.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    statistics: Arc<Statistics>,
    name: Arc<str>,
}

impl Connection {
    pub(crate) fn new(client: Client, name: &Arc<str>) -> Self {
        Self {
            statistics: client.statistics(),
            client,
            name: Arc::clone(name),
        }
    }

    /// Takes it from where it is shared.
    async fn leave(&self, shared: &Shared) {
        let is_this = |one: &mut Self| Arc::ptr_eq(&one.statistics, &self.statistics);
        shared.lock().await.take_if(is_this);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn is_lost(&self) -> bool {
        self.statistics.connects.load(Ordering::Relaxed) > 1
            || self.client.connection_state() == async_nats::connection::State::Disconnected
    }

    /// Awaits an answer, until the time is over or the connection is lost.
    pub(crate) async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, Error> {
        let mut answer = pin!(answer);
        let until_lost = async {
            loop {
                match timeout(TICK, answer.as_mut()).await {
                    Ok(answer) => return Ok(answer),
                    Err(_) if self.is_lost() => return Err(Error::Disconnected),
                    Err(_) => {}
                }
            }
        };
        timeout(TIMEOUT, until_lost)
            .await
            .unwrap_or(Err(Error::Late))
    }

    /// Publishes a message, and returns its sequence number.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        key: &str,
        payload: Vec<u8>,
        replicas: usize,
    ) -> Result<u64, AppendError<Error>> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", key);
        headers.insert("Nats-Expected-Stream", &*self.name);
        let request = Request::new().headers(headers).payload(payload.into());
        let sent = self.client.send_request(subject.to_owned(), request).await;
        let message = match sent {
            Err(error) if error.kind() == async_nats::RequestErrorKind::NoResponders => {
                // Nobody has it. Either the stream is gone, or it has no leader.
                return Err(match self.info().await {
                    Err(Error::NoStream) => AppendError::Refused(Error::NoStream),
                    _ => AppendError::NotWritten(Error::Late),
                });
            }
            sent => sent.map_err(|error| Error::from(error).of_append(replicas))?,
        };
        let ack = read::<Answer<api::Ack>>(&message).map(Answer::into_result);
        match ack {
            Ok(Ok(ack)) => Ok(ack.seq),
            Ok(Err(failure)) => Err(Error::from(failure).of_append(replicas)),
            Err(error) => Err(AppendError::Unknown(error)),
        }
    }

    /// Returns a message. It comes from the leader of the stream.
    pub(crate) async fn get(&self, seq: u64) -> Result<Option<Record>, Error> {
        if seq == 0 {
            // The place before the first.
            return Ok(None);
        }
        self.get_by(json!({ "seq": seq })).await
    }

    /// Returns a message from any server that has the stream, which may be behind the leader. Costs the
    /// server less.
    pub(crate) async fn get_anywhere(&self, seq: u64) -> Result<Option<Record>, Error> {
        let message = self.call("DIRECT.GET", &json!({ "seq": seq })).await?;
        Ok(api::direct(&message, seq))
    }

    /// Returns the newest message.
    pub(crate) async fn last(&self) -> Result<Option<Record>, Error> {
        self.get_by(json!({ "last_by_subj": ">" })).await
    }

    async fn get_by(&self, ask: Value) -> Result<Option<Record>, Error> {
        let message = self.call("STREAM.MSG.GET", &ask).await?;
        read::<api::Got<'_>>(&message)?.into_record()
    }

    /// Returns what the leader knows of the stream.
    pub(crate) async fn info(&self) -> Result<Info, Error> {
        let message = self.call("STREAM.INFO", &Value::Null).await?;
        let answer: Answer<Info> = read(&message)?;
        Ok(answer.into_result()?)
    }

    /// Makes the stream.
    pub(crate) async fn create(&self, config: &Value) -> Result<(), Error> {
        let message = self.call("STREAM.CREATE", config).await?;
        let answer: Answer<serde::de::IgnoredAny> = read(&message)?;
        answer.into_result()?;
        Ok(())
    }

    async fn call(&self, what: &str, ask: &Value) -> Result<Message, Error> {
        let payload = match ask {
            Value::Null => Vec::new(),
            ask => ask.to_string().into_bytes(),
        };
        let subject = format!("$JS.API.{what}.{}", self.name);
        Ok(self.client.request(subject, payload.into()).await?)
    }
}

fn read<'a, T: serde::Deserialize<'a>>(message: &'a Message) -> Result<T, Error> {
    serde_json::from_slice(&message.payload).map_err(|_| Error::Unexpected)
}
