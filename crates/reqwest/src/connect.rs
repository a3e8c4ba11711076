//! One attempt: the request that is sent, and the response that the core reads.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Client, Method, Request, Url};
use sse_proto::client::{self, Loss, Response};
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::futures_core::Stream;
use sse_proto::deps::{http, http_body};

use crate::error::Error;

/// How many bytes of a refusal's body are kept.
const MAX_REFUSAL: usize = 64 << 10;

/// How long the body of a refusal may take. The caller learns of the refusal only afterwards.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The headers that describe a body.
const OF_BODY: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
];

/// The headers of the caller's request that another origin may see.
const HARMLESS: [HeaderName; 5] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    USER_AGENT,
    CONTENT_TYPE,
    CONTENT_ENCODING,
];

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A future on the heap, with a name.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Changes a request before it is sent.
pub(crate) type Hook = Box<dyn FnMut(Request) -> Boxed<Result<Request, Failure>> + Send>;

/// Sends one request, and reads the head of its response.
pub(crate) type Connect = Box<dyn FnMut(client::Request) -> Boxed<Opened> + Send>;

type Opened = Result<(Response, Body), Failure>;

/// Returns a function that sends copies of `template`.
pub(crate) fn connect(http: Client, template: Request, mut hook: Option<Hook>) -> Connect {
    Box::new(move |asked| {
        let http = http.clone();
        let made = prepare(&template, &asked).map(|request| match &mut hook {
            // A token that it adds is a credential.
            Some(hook) if asked.may_have_credentials() => hook(request),
            _ => Box::pin(async { Ok(request) }),
        });
        Box::pin(async move { open(&http, made?.await?).await })
    })
}

/// Makes the request that the core asks for from the caller's.
fn prepare(template: &Request, asked: &client::Request) -> Result<Request, Failure> {
    let mut request = template.try_clone().ok_or(Error::Body)?;
    *request.method_mut() = Method::from_bytes(asked.method().as_bytes())?;
    *request.url_mut() = Url::parse(asked.url())?;
    let has_body = request.method() == template.method();
    if !has_body {
        *request.body_mut() = None;
        for name in OF_BODY {
            request.headers_mut().remove(name);
        }
    }
    if !asked.may_have_credentials() {
        let headers = std::mem::take(request.headers_mut());
        for name in HARMLESS {
            if let Some(value) = headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
    }
    request.headers_mut().remove("last-event-id");
    for (name, value) in asked.headers() {
        // Some protocols want more media types than the standard's.
        if name == "accept" && request.headers().contains_key(name) {
            continue;
        }
        let value = HeaderValue::from_bytes(value.as_bytes())?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

async fn open(http: &Client, request: Request) -> Opened {
    let url = request.url().clone();
    let response = http.execute(request).await;
    // A URL may have a token, and logs show errors.
    let response = response.map_err(reqwest::Error::without_url)?;
    let (status, reached) = (response.status(), response.url().clone());
    let response = http::Response::<reqwest::Body>::from(response);
    let mut head = Response::from(&response);
    if reached != url {
        // The client has followed redirects by itself.
        head = head.with_url(reached.as_str());
    }
    let (parts, body) = response.into_parts();
    let mut body = Body(body);
    if !head.is_event_stream() {
        // A redirect that is followed has no body of interest.
        let timeout = if status.is_redirection() {
            Duration::ZERO
        } else {
            REFUSAL_TIMEOUT
        };
        let mut refusal = Refusal {
            headers: parts.headers,
            body: Vec::new(),
        };
        // What came in time is kept, even if the rest failed.
        let _ = tokio::time::timeout(timeout, read(&mut body, &mut refusal.body)).await;
        head = head.with_attachment(refusal);
    }
    Ok((head, body))
}

async fn read(body: &mut Body, text: &mut Vec<u8>) {
    while text.len() < MAX_REFUSAL {
        let Some(Ok(chunk)) = poll_fn(|context| Pin::new(&mut *body).poll_next(context)).await
        else {
            return;
        };
        let room = MAX_REFUSAL - text.len();
        text.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
}

/// What a server answered instead of an event stream: headers, and the start of the body.
///
/// # Examples
///
/// ```no_run
/// use sse_proto_reqwest::{EventSource, Refusal};
///
/// # async fn print() -> Result<(), Box<dyn std::error::Error>> {
/// let mut events = EventSource::new(reqwest::Client::new().get("https://example.org/tokens"))?;
/// while let Some(event) = events.next().await {
///     match event {
///         Ok(event) => print!("{}", event.data()),
///         Err(loss) => match Refusal::of(&loss) {
///             Some(refusal) => eprintln!("{loss}: {}", refusal.text()),
///             None => eprintln!("{loss}"),
///         },
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Refusal {
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Shows no values: headers set cookies, and bodies repeat what was sent.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .finish()
    }
}

impl Refusal {
    /// Returns what the server answered, if the loss is a refusal. Its status is that of
    /// [`Loss::response`].
    pub fn of(loss: &Loss) -> Option<&Self> {
        loss.response.as_ref()?.attachment()
    }

    /// Returns the headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the first 64 KiB of the body, as far as they arrived within two seconds. It is empty
    /// for a redirect.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as text, with U+FFFD for malformed UTF-8.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// The body of a response as a stream of chunks, without its trailers.
pub(crate) struct Body(reqwest::Body);

impl Stream for Body {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = ready!(http_body::Body::poll_frame(Pin::new(&mut self.0), context));
        let frame = frame.map(|frame| frame.map_err(reqwest::Error::without_url));
        Poll::Ready(frame.map(|frame| Ok(frame?.into_data().unwrap_or_default())))
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, HeaderValue, Refusal};

    #[test]
    fn a_refusal_shows_no_values() {
        let cookie = HeaderValue::from_static("session=secret");
        let headers = HeaderMap::from_iter([(reqwest::header::SET_COOKIE, cookie)]);
        let body = b"secret".to_vec();
        let shown = format!("{:?}", Refusal { headers, body });
        assert_eq!(shown, "Refusal { headers: 1, body: 6 }");
    }
}
