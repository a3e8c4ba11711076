//! What a request becomes, against a server of the test's own.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use sse_proto_reqwest::{Error, EventSource, LossReason, Options, Refusal, Update};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::yield_now;

const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const NO_MORE: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

/// Ends an answer that stays open until the client goes.
const STAYS: &str = "{stays}";

/// A server that gives one answer to each connection in turn.
struct Server {
    url: String,
    requests: UnboundedReceiver<Received>,
}

#[derive(Debug)]
struct Received {
    /// The request line and the headers, in lower case.
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|line| line.0 == name).map(|line| line.1)
    }
}

impl Server {
    async fn new(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let (sender, requests) = unbounded_channel();
        let answers = answers.to_vec();
        tokio::spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                sender.send(receive(&mut socket).await).unwrap();
                let (text, stays) = match answer.strip_suffix(STAYS) {
                    Some(text) => (text, true),
                    None => (&*answer, false),
                };
                socket.write_all(text.as_bytes()).await.unwrap();
                if stays {
                    // Ends when the client closes the connection.
                    let _ = socket.read(&mut [0]).await;
                }
            }
        });
        Self { url, requests }
    }

    async fn request(&mut self) -> Received {
        self.requests.recv().await.expect("another request")
    }
}

async fn receive(socket: &mut TcpStream) -> Received {
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).await.unwrap(), 0, "{head}");
    }
    let head = head.to_ascii_lowercase();
    let mut received = Received {
        head,
        body: String::new(),
    };
    let len = received
        .header("content-length")
        .map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    reader.read_exact(&mut body).await.unwrap();
    received.body = String::from_utf8(body).unwrap();
    received
}

fn stream(body: &str) -> String {
    [STREAM, body].concat()
}

fn status(status: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {len}\r\n{headers}connection: close\r\n\r\n{body}"
    )
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

/// Options without a delay that a test would notice.
fn options() -> Options {
    let at_once = Duration::ZERO;
    Options::resilient()
        .with_jitter(0)
        .with_delay_bounds(at_once, at_once)
}

fn events(request: RequestBuilder) -> EventSource {
    EventSource::builder(request)
        .with_options(options())
        .build()
        .unwrap()
}

async fn data(events: &mut EventSource) -> String {
    let event = events.next().await.expect("another event");
    event.expect("no error").data().to_owned()
}

#[tokio::test]
async fn it_reconnects_with_the_last_event_id_and_ends_at_204() {
    let answers = [
        stream("id: 7\ndata: a\n\n"),
        stream("data: b\n\n"),
        NO_MORE.into(),
    ];
    let mut server = Server::new(&answers).await;
    let mut events = events(client().get(&server.url));
    assert_eq!(
        (data(&mut events).await, data(&mut events).await),
        ("a".into(), "b".into())
    );
    assert!(events.next().await.is_none());
    assert!(events.next().await.is_none(), "it stays ended");
    let first = server.request().await;
    assert_eq!(first.header("last-event-id"), None);
    assert_eq!(first.header("accept"), Some("text/event-stream"));
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    assert_eq!(server.request().await.header("last-event-id"), Some("7"));
    assert_eq!(server.request().await.header("last-event-id"), Some("7"));
}

#[tokio::test]
async fn each_attempt_has_the_headers_and_the_body() {
    let answers = [stream("data: a\n\n"), stream("data: b\n\n"), NO_MORE.into()];
    let mut server = Server::new(&answers).await;
    let request = client()
        .put(&server.url)
        .header("x-key", "k")
        .header("accept", "x/y")
        .json("?");
    let mut events = events(request);
    while let Some(event) = events.next().await {
        event.unwrap();
    }
    for _ in 0..3 {
        let received = server.request().await;
        assert!(received.head.starts_with("put /events "), "{received:?}");
        assert_eq!(received.header("x-key"), Some("k"));
        assert_eq!(received.header("accept"), Some("x/y"), "the caller's");
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.body, "\"?\"");
    }
}

#[tokio::test]
async fn a_last_event_id_of_the_request_is_where_the_first_attempt_resumes() {
    let mut server = Server::new(&[stream("id: 8\ndata: a\n\n"), NO_MORE.into()]).await;
    let mut events = events(client().get(&server.url).header("last-event-id", "7"));
    assert_eq!(events.next().await.unwrap().unwrap().last_event_id(), "8");
    assert!(events.next().await.is_none());
    assert_eq!(server.request().await.header("last-event-id"), Some("7"));
    assert_eq!(server.request().await.header("last-event-id"), Some("8"));
}

#[tokio::test]
async fn a_post_is_sent_again_only_if_the_caller_says_so() {
    let answers = [stream("data: a\n\n"), stream("data: b\n\n"), NO_MORE.into()];
    let mut server = Server::new(&answers).await;
    let mut once = events(client().post(&server.url).body("question"));
    assert_eq!(data(&mut once).await, "a");
    assert!(once.next().await.is_none(), "the whole answer is no error");
    assert_eq!(server.request().await.body, "question");
    assert!(server.requests.try_recv().is_err());

    let request = client().post(&server.url).body("question");
    let repeated = EventSource::builder(request).with_options(options().with_repeat(true));
    let mut repeated = repeated.build().unwrap();
    assert_eq!(data(&mut repeated).await, "b");
    assert!(repeated.next().await.is_none());
    assert_eq!(server.request().await.body, "question");
    assert_eq!(server.request().await.body, "question");
}

#[tokio::test]
async fn an_answer_to_a_post_that_is_cut_is_an_error() {
    let server = Server::new(&[stream("data: a\n\ndata: cu")]).await;
    let mut events = events(client().post(&server.url));
    assert_eq!(data(&mut events).await, "a");
    let loss = events.next().await.unwrap().unwrap_err();
    assert_eq!(loss.reason, LossReason::NotRepeatable);
    assert!(loss.is_interrupted);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_block_that_is_cut_is_lost_and_its_id_does_not_count() {
    let answers = [stream("id: 1\ndata: a\n\nid: 2\ndata: cu"), NO_MORE.into()];
    let mut server = Server::new(&answers).await;
    let mut updates = events(client().get(&server.url)).updates();
    assert!(matches!(updates.next().await, Some(Update::Opened)));
    assert!(matches!(updates.next().await, Some(Update::Item(_))));
    let Some(Update::Lost(loss)) = updates.next().await else {
        panic!()
    };
    assert!(loss.is_interrupted);
    assert!(matches!(updates.next().await, Some(Update::Closed(_))));
    server.request().await;
    assert_eq!(server.request().await.header("last-event-id"), Some("1"));
}

#[tokio::test]
async fn each_attempt_has_a_fresh_token() {
    let answers = [stream("data: a\n\n"), stream("data: b\n\n"), NO_MORE.into()];
    let mut server = Server::new(&answers).await;
    let mut number = 0;
    let builder = EventSource::builder(client().get(&server.url)).with_options(options());
    let mut events = builder
        .before_each(move |mut request| {
            number += 1;
            async move {
                yield_now().await;
                let token = format!("token {number}").try_into()?;
                request.headers_mut().insert("authorization", token);
                Ok(request)
            }
        })
        .build()
        .unwrap();
    while let Some(event) = events.next().await {
        event.unwrap();
    }
    for token in ["token 1", "token 2", "token 3"] {
        assert_eq!(server.request().await.header("authorization"), Some(token));
    }
}

#[tokio::test]
async fn a_token_that_fails_is_the_cause_of_a_failed_attempt() {
    let builder = EventSource::builder(client().get("http://127.0.0.1:9/"));
    let mut events = builder
        .with_options(options().with_max_retries(Some(1)))
        .before_each(async |_| Err("no token".into()))
        .build()
        .unwrap();
    let loss = events.next().await.unwrap().unwrap_err();
    assert_eq!(loss.last, Some(LossReason::IoError));
    assert_eq!(
        std::error::Error::source(&loss).unwrap().to_string(),
        "no token"
    );
}

#[tokio::test]
async fn closing_from_another_task_wakes_it() {
    let server = Server::new(&[stream(&format!("data: a\n\n{STAYS}"))]).await;
    let mut events = events(client().get(&server.url));
    assert_eq!(data(&mut events).await, "a");
    let handle = events.handle();
    let reader = tokio::spawn(async move { events.next().await.is_none() });
    // Now it waits for bytes.
    yield_now().await;
    handle.clone().close();
    assert!(reader.await.unwrap());
}

#[tokio::test]
async fn a_refusal_has_status_headers_and_body() {
    let text = "{\"error\":\"token\"}";
    let refused = status("401 Unauthorized", "www-authenticate: Bearer\r\n", text);
    let server = Server::new(&[refused]).await;
    let mut events = events(client().get(&server.url));
    let loss = events.next().await.unwrap().unwrap_err();
    assert_eq!(loss.reason, LossReason::Rejected(401));
    let refusal = Refusal::of(&loss).expect("a refusal");
    assert_eq!(loss.response.as_ref().unwrap().status(), 401);
    assert_eq!(refusal.headers()["www-authenticate"], "Bearer");
    assert_eq!((refusal.body(), &*refusal.text()), (text.as_bytes(), text));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn the_body_of_a_refusal_is_bounded() {
    let refused = status("403 Forbidden", "", &"x".repeat(1 << 20));
    let server = Server::new(&[refused]).await;
    let loss = events(client().get(&server.url))
        .next()
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(Refusal::of(&loss).unwrap().body().len(), 64 << 10);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_after_the_time_that_it_asks_for() {
    let busy = status("503 Busy", "retry-after: 7\r\n", "later");
    let server = Server::new(&[busy, NO_MORE.into()]).await;
    let builder = EventSource::builder(client().get(&server.url));
    let longest = Duration::from_secs(60);
    let options = options().with_delay_bounds(Duration::ZERO, longest);
    let events = builder.with_options(options).build().unwrap();
    let handle = events.handle();
    let mut updates = events.updates();
    let Some(Update::Lost(loss)) = updates.next().await else {
        panic!()
    };
    assert_eq!(loss.retry_in, Some(Duration::from_secs(7)));
    assert_eq!(Refusal::of(&loss).unwrap().text(), "later");
    // Does not wait for so long here.
    handle.reconnect();
    assert!(
        matches!(updates.next().await, Some(Update::Closed(loss)) if loss.reason == LossReason::Rejected(204))
    );
}

#[tokio::test]
async fn no_header_but_harmless_ones_and_no_token_goes_to_another_origin() {
    let mut other = Server::new(&[NO_MORE.into()]).await;
    let location = format!("location: {}\r\n", other.url);
    let answers = [
        status("307 Redirect", "location: /here\r\n", ""),
        status("307 Redirect", &location, ""),
    ];
    let mut server = Server::new(&answers).await;
    let request = client()
        .put(&server.url)
        .headers(
            [("x-key", "k"), ("user-agent", "u")]
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .into_iter()
                .collect(),
        )
        .body("question");
    let mut events = EventSource::builder(request)
        .with_options(options())
        .before_each(|mut request| async {
            request
                .headers_mut()
                .insert("authorization", "token".parse()?);
            Ok(request)
        })
        .build()
        .unwrap();
    assert!(events.next().await.is_none());
    for path in ["put /events ", "put /here "] {
        let received = server.request().await;
        assert!(received.head.starts_with(path), "{received:?}");
        assert_eq!(
            (received.header("x-key"), received.header("authorization")),
            (Some("k"), Some("token"))
        );
    }
    let received = other.request().await;
    assert_eq!(
        (received.header("x-key"), received.header("authorization")),
        (None, None)
    );
    assert_eq!(
        (received.header("user-agent"), &*received.body),
        (Some("u"), "question")
    );
}

#[tokio::test]
async fn a_redirect_that_turns_into_get_has_no_body() {
    let mut server = Server::new(&[
        status("303 See Other", "location: /there\r\n", ""),
        NO_MORE.into(),
    ])
    .await;
    let mut events = events(client().post(&server.url).json("question"));
    assert!(events.next().await.is_none());
    server.request().await;
    let received = server.request().await;
    assert!(received.head.starts_with("get /there "), "{received:?}");
    assert_eq!(
        (received.header("content-type"), &*received.body),
        (None, "")
    );
}

#[tokio::test]
async fn redirects_that_the_client_follows_by_itself_are_its_own() {
    let answers = [
        status("307 Redirect", "location: /there\r\n", ""),
        stream("data: a\n\n"),
        NO_MORE.into(),
    ];
    let server = Server::new(&answers).await;
    let mut events = events(Client::new().get(&server.url));
    assert_eq!(data(&mut events).await, "a");
    assert!(events.next().await.is_none());
}

#[test]
fn a_body_that_cannot_be_sent_again_is_an_error_at_the_call() {
    struct Endless;
    impl http_body::Body for Endless {
        type Data = sse_proto_reqwest::sse_proto::deps::bytes::Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
    use sse_proto_reqwest::sse_proto::deps::http_body;
    let request = client()
        .post("http://localhost/")
        .body(reqwest::Body::wrap(Endless));
    let error = EventSource::new(request).unwrap_err();
    assert!(matches!(error, Error::Body));
    assert_eq!(
        error.to_string(),
        "the body of the request can't be sent again"
    );
}

#[test]
fn a_malformed_request_is_an_error_at_the_call() {
    let error = EventSource::new(client().get("no url")).unwrap_err();
    assert!(matches!(error, Error::Request(_)));
    assert_eq!(error.to_string(), "the request is malformed");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_stream_and_its_handle_go_to_other_threads() {
    fn goes<T: Send>() {}
    fn is_shared<T: Clone + Send + Sync>() {}
    goes::<EventSource>();
    is_shared::<sse_proto_reqwest::Handle>();
}
