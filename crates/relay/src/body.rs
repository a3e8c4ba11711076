//! `Body`, the stream of one client: pages of history, and then the local log.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use sse_proto::broadcast::{Handle, Held};
use sse_proto::{Event, EventId, EventStreamExt, Subscription};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::engine::Engine;
use crate::entry::{Form, Line};
use crate::history::{Found, Lines};
use crate::id::Id;
use crate::options::{Options, Rule, WhenStale, capped};
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
    /// The id at which a client without one begins.
    start: Option<EventId<'static>>,
    stage: Stage,
    news: Pin<Box<dyn Future<Output = News> + Send>>,
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

/// What a stream is told from elsewhere.
enum News {
    /// The client comes back to another node.
    Leave,
    /// The relay has become stale.
    Stale(Bytes),
}

/// What the streams of a relay are told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signals {
    /// The time within which all end.
    pub(crate) drain: Option<Duration>,
    pub(crate) is_stale: bool,
}

/// The settings of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) options: Arc<Options>,
    pub(crate) signals: watch::Receiver<Signals>,
}

/// A chunk of history has at most this many bytes, or one larger frame.
const MAX_CHUNK: usize = 32 * 1024;

/// After this number of pages for others, a client is told its place, so that it does not begin anew
/// if it is cut off.
const MAX_SILENT: u32 = 32;

impl Body {
    pub(crate) fn live(subscription: Subscription, live: Live) -> Self {
        let handle = subscription.handle();
        Self::new(live.follow(subscription), handle, live)
    }

    /// Begins a client that has no id.
    pub(crate) fn new_client(subscription: Subscription, live: Live) -> Self {
        let start = subscription.last_event_id();
        Self {
            start,
            ..Self::live(subscription, live)
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
        Self::new(Stage::Pages(pages.boxed()), handle, inner.live())
    }

    fn new(stage: Stage, handle: Handle, live: Live) -> Self {
        Self {
            first: VecDeque::new(),
            start: None,
            stage,
            news: Box::pin(live.clone().news(false)),
            live,
            handle,
        }
    }

    /// Returns the id at which a client without one begins, to be sent to it by
    /// [`Preamble::with_id`](sse_proto::adapt::Preamble::with_id). A client that is cut before its
    /// first entry then comes back with this id, and misses nothing. `None` for all other clients.
    pub fn start_id(&self) -> Option<EventId<'static>> {
        self.start.clone()
    }

    /// Returns a handle, which adds and removes topics and ends the stream from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Live {
    fn follow(&self, subscription: Subscription) -> Stage {
        Stage::Log(Box::pin(
            subscription.keep_alive(self.options.keep_alive, sleep),
        ))
    }

    /// Waits for the next thing to tell a stream.
    async fn news(mut self, knows_stale: bool) -> News {
        let (options, signals) = (&self.options, &mut self.signals);
        if knows_stale {
            changed_to(signals, |now| now.drain.is_some() || !now.is_stale).await;
        }
        loop {
            let now = changed_to(signals, |now| now.drain.is_some() || now.is_stale).await;
            let within = match (&now.drain, &options.when_stale) {
                (None, WhenStale::Tell(event_type, data)) => {
                    let event = Event::new(event_type.clone(), &**data);
                    return News::Stale(event.to_bytes());
                }
                (Some(within), _) | (None, WhenStale::End(within)) => *within,
            };
            let moment = capped(within).mul_f64(random() as f64 / u64::MAX as f64);
            let is_over = |signals: &Signals| {
                signals.drain != now.drain || (now.drain.is_none() && !signals.is_stale)
            };
            if timeout(moment, changed_to(signals, is_over)).await.is_err() {
                return News::Leave;
            }
        }
    }
}

/// Returns the lines that are not after an id.
fn up_to<E: Engine>(head: Option<Id>, lines: &[Line]) -> &[Line] {
    let is_in = |line: &Line| head.is_some_and(|id| E::order(line.id.place) <= E::order(id.place));
    &lines[..lines.partition_point(is_in)]
}

/// Returns whether a subscription has ended.
fn has_ended(handle: &Handle) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(handle.closed()).poll(&mut cx).is_ready()
}

/// Waits until the signals are such.
async fn changed_to(
    signals: &mut watch::Receiver<Signals>,
    are: impl FnMut(&Signals) -> bool,
) -> Signals {
    let now = signals.wait_for(are).await.map(|now| *now);
    match now {
        Ok(now) => now,
        // The relay is gone, which closes its log.
        Err(_) => core::future::pending().await,
    }
}

impl Stream for Body {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        if let Some(chunk) = this.first.pop_front() {
            return Poll::Ready(Some(chunk));
        }
        if let Stage::Over = this.stage {
            return Poll::Ready(None);
        }
        if let Poll::Ready(news) = this.news.as_mut().poll(cx) {
            if let News::Stale(event) = news {
                // Each chunk ends between two events.
                this.news = Box::pin(this.live.clone().news(true));
                return Poll::Ready(Some(event));
            }
            this.handle.close(None);
            this.stage = Stage::Over;
            return Poll::Ready(None);
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

    /// Returns the head of the local log. A page is taken up to it: a topic that is added counts from
    /// the head on, and so from after the page.
    fn head(&self) -> Option<Id> {
        Id::parse(&self.inner.broadcast.last_event_id()?.to_str())
    }

    fn boxed(self) -> Pin<Box<dyn Future<Output = Step> + Send>> {
        Box::pin(self.step())
    }

    async fn step(mut self) -> Step {
        let deadline = Instant::now() + self.inner.options.patience;
        let mut pages = 0;
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
            let found = self.inner.history.find(self.last, deadline).await;
            let Ok(Found::Exact(page, at)) = found else {
                return match found.is_err() && self.told != self.last {
                    true => Step::Chunk(self.place(), self.boxed()),
                    false => Step::End,
                };
            };
            let lines = up_to::<E>(self.head(), page.readable(at));
            if lines.is_empty() && !page.is_unreadable(at) {
                // The local log is about to have this place, or has just lost it.
                if Instant::now() >= deadline {
                    return Step::End;
                }
                drop(page);
                sleep(Duration::from_millis(100)).await;
                continue;
            }
            if lines.is_empty() && self.told == self.last {
                return Step::End;
            }
            let (last, told) = (self.last, self.told);
            let mut chunk = self.take(&page, at, lines);
            if has_ended(&self.held.handle()) {
                // From that moment on nothing was for the client.
                (self.last, self.told) = (last, told);
                continue;
            }
            if lines.is_empty() {
                // The client must not come back with its old id for ever.
                chunk.extend_from_slice(&self.place());
            }
            pages += 1;
            if chunk.is_empty() && pages == MAX_SILENT {
                chunk.extend_from_slice(&self.place());
            }
            if !chunk.is_empty() {
                return Step::Chunk(chunk.freeze(), self.boxed());
            }
        }
    }

    /// Takes what is for the client from lines of a page, at most one chunk.
    fn take(&mut self, page: &Lines, at: usize, lines: &[Line]) -> BytesMut {
        let mut chunk = BytesMut::new();
        let frames = match self.inner.options.breaks(Rule::TopicsInPages) {
            true => (0..lines.len()).collect(),
            false => page.frames(at, &self.held.handle().topics()),
        };
        for at in frames {
            let Some(line) = lines.get(at) else { break };
            let Form::Frame(frame, topic) = &line.form else {
                continue;
            };
            let (bytes, id) = (frame.as_bytes(), line.id.to_event_id());
            if !chunk.is_empty() && chunk.len() + bytes.len() > MAX_CHUNK {
                self.last = lines[at - 1].id;
                return chunk;
            }
            // Its event type may be for others, and the topic may have been added after it.
            if self.held.takes(topic.as_deref(), frame.event_type(), &id)
                || self.inner.options.breaks(Rule::TopicsInPages)
            {
                chunk.extend_from_slice(bytes);
                self.told = line.id;
            }
        }
        self.last = lines.last().map_or(self.last, |line| line.id);
        chunk
    }
}
