//! `Body`, the stream of one client: pages of history, and then the local log.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use sse_proto::broadcast::{Handle, Held};
use sse_proto::{Event, EventStreamExt, Subscription};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::engine::Engine;
use crate::entry::Form;
use crate::history::Found;
use crate::id::Id;
use crate::options::Rule;
use crate::random::random;
use crate::relay::Inner;

/// The entries of the log for one client, as the body of one response, with keep-alive comments.
///
/// A client that has been away for longer than the local log first receives pages of history. They
/// are read as the client takes them, so that a slow client holds at most one chunk. If a page does
/// not come, or the log has lost the place of the client, the stream ends: the client comes back
/// with its id.
#[must_use = "a stream that is dropped ends"]
pub struct Body {
    /// Only for a broken rule.
    pub(crate) first: VecDeque<Bytes>,
    stage: Stage,
    live: Live,
    handle: Handle,
}

enum Stage {
    Pages(Pin<Box<dyn Future<Output = Step> + Send>>),
    Log(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    Over,
}

/// What a client in pages does next.
enum Step {
    Chunk(Bytes, Pin<Box<dyn Future<Output = Step> + Send>>),
    Join(Subscription),
    End,
}

/// The settings of a stream in the local log.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) keep_alive: Duration,
    pub(crate) drain: watch::Receiver<Option<Duration>>,
    pub(crate) tells_after: bool,
}

/// A chunk of history has at most this many bytes, or one larger frame.
const MAX_CHUNK: usize = 64 * 1024;

impl Body {
    pub(crate) fn live(subscription: Subscription, live: Live) -> Self {
        Self {
            first: VecDeque::new(),
            handle: subscription.handle(),
            stage: live.follow(subscription),
            live,
        }
    }

    pub(crate) fn pages<E: Engine>(inner: &Arc<Inner<E>>, held: Held, last: Id) -> Self {
        let handle = held.handle();
        let pages = Pages {
            inner: Arc::clone(inner),
            held,
            last,
            told: last,
        };
        Self {
            first: VecDeque::new(),
            handle,
            stage: Stage::Pages(pages.boxed()),
            live: inner.live(),
        }
    }

    /// Returns a handle, which adds and removes topics and ends the stream from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Live {
    fn follow(&self, subscription: Subscription) -> Stage {
        let mut drain = self.drain.clone();
        let drained = Box::pin(async move {
            let within = drain.wait_for(Option::is_some).await;
            let Some(within) = within.ok().and_then(|within| *within) else {
                // The relay is gone, which closes its log.
                return core::future::pending().await;
            };
            sleep(within.mul_f64(random() as f64 / u64::MAX as f64)).await;
        });
        let body = subscription
            .until(drained)
            .keep_alive(self.keep_alive, sleep);
        Stage::Log(Box::pin(body))
    }
}

impl Stream for Body {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        if let Some(chunk) = this.first.pop_front() {
            return Poll::Ready(Some(chunk));
        }
        loop {
            let step = match &mut this.stage {
                Stage::Pages(step) => match step.as_mut().poll(cx) {
                    Poll::Ready(step) => step,
                    Poll::Pending => return Poll::Pending,
                },
                Stage::Log(stream) => return stream.as_mut().poll_next(cx),
                Stage::Over => return Poll::Ready(None),
            };
            this.stage = match step {
                Step::Chunk(chunk, next) => {
                    this.stage = Stage::Pages(next);
                    return Poll::Ready(Some(chunk));
                }
                Step::Join(subscription) => this.live.follow(subscription),
                Step::End => Stage::Over,
            };
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Pages(_) => "pages",
            Stage::Log(_) => "log",
            Stage::Over => "over",
        };
        f.debug_struct("Body")
            .field("stage", &stage)
            .finish_non_exhaustive()
    }
}

/// A client that reads pages.
struct Pages<E> {
    inner: Arc<Inner<E>>,
    held: Held,
    /// The last id up to which the client has received everything.
    last: Id,
    /// The last id that the client knows.
    told: Id,
}

impl<E: Engine> Pages<E> {
    /// Tells the client the last id, which was of an entry for others.
    fn place(&mut self) -> Bytes {
        self.told = self.last;
        let (event_type, data) = &self.inner.options.place;
        let place = Event::new(event_type.clone(), &**data);
        place.with_id(self.last.to_event_id()).to_bytes()
    }

    fn boxed(self) -> Pin<Box<dyn Future<Output = Step> + Send>> {
        Box::pin(self.step())
    }

    async fn step(mut self) -> Step {
        let deadline = Instant::now() + self.inner.options.patience;
        loop {
            if self.inner.options.breaks(Rule::WaitForJoin) {
                let head = self.inner.broadcast.last_event_id();
                return match head.map(|head| self.held.join(&head)) {
                    Some(Ok(subscription)) => Step::Join(subscription),
                    _ => Step::End,
                };
            }
            self.held = match self.held.join(&self.last.to_event_id()) {
                Ok(subscription) => return Step::Join(subscription),
                Err(held) => held,
            };
            let mut reached = pin!(self.inner.broadcast.reached(&self.last.to_event_id()));
            let is_ahead = poll_fn(|cx| Poll::Ready(reached.as_mut().poll(cx).is_pending())).await;
            if is_ahead {
                // The local log is to come to this place, or to lose it.
                match timeout_at(deadline, reached).await {
                    Ok(_) => continue,
                    Err(_) => return Step::End,
                }
            }
            let Ok(Found::Exact(lines, at)) = self.inner.history.find(self.last, deadline).await
            else {
                return Step::End;
            };
            let lines = lines.lines.get(at..).unwrap_or_default();
            if lines.is_empty() {
                // The local log is about to have this place, or has just lost it.
                if Instant::now() >= deadline {
                    return Step::End;
                }
                sleep(Duration::from_millis(100)).await;
            }
            let mut chunk = BytesMut::new();
            for line in lines {
                match &line.form {
                    Form::Unreadable if chunk.is_empty() && self.told == self.last => {
                        return Step::End;
                    }
                    Form::Unreadable => {
                        if chunk.is_empty() {
                            // The client must not come back with its old id for ever.
                            chunk.extend_from_slice(&self.place());
                        }
                        break;
                    }
                    Form::Poison => {}
                    Form::Frame(frame, topic) => {
                        let bytes = frame.as_bytes();
                        if !chunk.is_empty() && chunk.len() + bytes.len() > MAX_CHUNK {
                            break;
                        }
                        let id = line.id.to_event_id();
                        if self.held.takes(topic.as_deref(), frame.event_type(), &id)
                            || self.inner.options.breaks(Rule::TopicsInPages)
                        {
                            chunk.extend_from_slice(bytes);
                            self.told = line.id;
                        }
                    }
                }
                self.last = line.id;
            }
            if !chunk.is_empty() {
                return Step::Chunk(chunk.freeze(), self.boxed());
            }
        }
    }
}
