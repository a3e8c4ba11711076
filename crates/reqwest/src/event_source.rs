//! `EventSource` and its builder.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::{Request, RequestBuilder};
use sse_proto::client::{EventSourceStream, Handle, Loss, Options, Update};
use sse_proto::decode::{Events, OwnedMessageEvent};
use sse_proto::deps::futures_core::Stream;
use sse_proto::event::LastEventId;
use sse_proto::http::last_event_id;
use tokio::time::Sleep;

use crate::connect::{Connect, Hook, connect};
use crate::error::Error;

type Inner = EventSourceStream<Connect, fn(Duration) -> Pin<Box<Sleep>>, fn() -> Duration>;

/// The events of a request, over all connections; a [`Stream`] of `Result<OwnedMessageEvent, Loss>`.
///
/// It sends the request at the first poll, and again after each end of its stream. Its items are
/// those of [`EventSourceStream::events`]: events, an error for each event above a limit, and as
/// the last item the error for which no other request follows. It ends without an error after 204,
/// after [`Handle::close`], and after the whole answer to a request that is not repeated.
///
/// The request keeps its headers and its body in each attempt. A header `Last-Event-ID` sets where
/// the first attempt resumes. Poll it on tokio, with its timer on. Dropping it closes the connection.
///
/// # Redirects
///
/// It follows redirects within [`Options::with_max_redirects`], if the client does not: make the
/// client with [`Policy::none`](reqwest::redirect::Policy::none). To another origin it sends none
/// of the request's headers but `accept`, `accept-language`, `user-agent` and those that describe the body,
/// and does not call [`Builder::before_each`]. The client's default headers go everywhere.
///
/// A client that follows redirects by itself sends all headers to another origin, other than
/// `Authorization`, `Cookie` and their like.
///
/// # Timeouts
///
/// [`Options`] has a timeout for the response and one for silence. reqwest's own `timeout` ends
/// each response after that time, also a stream that is alive, so leave it unset.
pub struct EventSource {
    events: Events<Inner>,
    handle: Handle,
}

impl EventSource {
    /// Makes a stream of events from a request, with [`Options::resilient`]. It sends nothing until
    /// it is polled.
    ///
    /// # Errors
    ///
    /// [`Error`] if the request is malformed, or if its body can't be sent again.
    pub fn new(request: RequestBuilder) -> Result<Self, Error> {
        Self::builder(request).build()
    }

    /// Returns a builder, to set more than the request.
    pub fn builder(request: RequestBuilder) -> Builder {
        Builder {
            request,
            options: Options::resilient(),
            hook: None,
        }
    }

    /// Returns the next event or error, or `None` once the stream has ended. Nothing is lost if the
    /// future is dropped before it resolves.
    #[expect(clippy::should_implement_trait, reason = "a stream is no iterator")]
    pub fn next(
        &mut self,
    ) -> impl Future<Output = Option<Result<OwnedMessageEvent, Loss>>> + Send + Unpin {
        poll_fn(|context| Pin::new(&mut self.events).poll_next(context))
    }

    /// Returns a handle that closes or reconnects it from any task or thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use sse_proto_reqwest::EventSource;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let request = reqwest::Client::new().get("http://127.0.0.1:8000/events");
    /// let mut events = EventSource::new(request)?;
    /// let handle = events.handle();
    /// tokio::spawn(async move { handle.close() });
    /// while let Some(event) = events.next().await {
    ///     print!("{}", event?.data());
    /// }
    /// assert!(events.next().await.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Returns all updates instead of the events alone: also when the connection opens, when it is
    /// lost, comments and reconnection times.
    pub fn updates(self) -> Updates {
        Updates(self.events.into_inner())
    }
}

impl Stream for EventSource {
    type Item = Result<OwnedMessageEvent, Loss>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.events).poll_next(context)
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventSource").field(&self.events).finish()
    }
}

/// All updates of an [`EventSource`]: a [`Stream`] of [`Update`]; returned by
/// [`EventSource::updates`].
pub struct Updates(Inner);

impl Stream for Updates {
    type Item = Update;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Updates").field(&self.0).finish()
    }
}

/// Sets more than the request of an [`EventSource`].
///
/// # Examples
///
/// ```
/// use sse_proto_reqwest::{EventSource, Options};
///
/// async fn fresh_token() -> Result<String, std::io::Error> {
///     Ok("secret".into())
/// }
///
/// let request = reqwest::Client::new().post("https://example.org/answers").body("question");
/// let events = EventSource::builder(request)
///     // A POST that only reads data may be sent again. A 401 may be gone with the next token.
///     .with_options(Options::resilient().with_repeat(true).with_retry_if(|refused| {
///         refused.is_transient() || refused.status() == 401
///     }))
///     .before_each(|mut request| async {
///         let value = format!("Bearer {}", fresh_token().await?).try_into()?;
///         request.headers_mut().insert("authorization", value);
///         Ok(request)
///     })
///     .build()?;
/// # drop(events);
/// # Ok::<(), sse_proto_reqwest::Error>(())
/// ```
#[must_use]
pub struct Builder {
    request: RequestBuilder,
    options: Options,
    hook: Option<Hook>,
}

impl Builder {
    /// Sets the options: delays, timeouts, limits, and what is retried.
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Calls `hook` with each request before it is sent, for example to add a fresh token. If it
    /// fails, the attempt has failed, and its error is the [`source`](std::error::Error::source) of
    /// the [`Loss`]. It is not called after a redirect to another origin.
    pub fn before_each<F>(self, mut hook: impl FnMut(Request) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Request, Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + 'static,
    {
        let hook: Hook = Box::new(move |request| Box::pin(hook(request)));
        Self {
            hook: Some(hook),
            ..self
        }
    }

    /// Makes the stream of events. It sends nothing until it is polled.
    ///
    /// # Errors
    ///
    /// [`Error`] if the request is malformed, or if its body can't be sent again.
    pub fn build(self) -> Result<EventSource, Error> {
        let (http, request) = self.request.build_split();
        let request = request.map_err(Error::Request)?;
        if request.try_clone().is_none() {
            return Err(Error::Body);
        }
        let mut source = sse_proto::EventSource::new(request.url().as_str(), self.options)
            .with_method(request.method().as_str());
        let ids = request.headers().get_all("last-event-id");
        if let LastEventId::Id(id) = last_event_id(ids, None, "") {
            source = source.with_last_event_id(id);
        }
        let connect = connect(http, request, self.hook);
        let sleep: fn(Duration) -> _ = |duration| Box::pin(tokio::time::sleep(duration));
        let stream = EventSourceStream::new(source, connect, sleep);
        Ok(EventSource {
            handle: stream.handle(),
            events: stream.events(),
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
