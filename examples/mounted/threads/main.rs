//! Server-sent events with std alone: a thread for each connection, no async. For `App` see `../README.md`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{future::poll_fn, pin::Pin, sync::Arc, thread, time::Duration};

use app::{App, http1, wait};
use sse_proto::deps::bytes::Bytes;
use sse_proto::deps::http_body::{Body, Frame};

fn main() -> io::Result<()> {
    let app = Arc::new(App::start());
    let listener = TcpListener::bind(app.address())?;
    app.listens(listener.local_addr()?);
    let all = Arc::clone(&app);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let app = Arc::clone(&all);
            let serve = |stream| thread::Builder::new().spawn(move || serve(&app, &stream));
            if stream.and_then(serve).is_err() {
                // If there are no file descriptors or threads left, the next attempt would fail at once.
                thread::sleep(Duration::from_millis(100));
            }
        }
    });
    wait(app.shutdown(), Duration::MAX);
    // The streams end by themselves. After three seconds, clients that read nothing or send slowly are cut off.
    for _ in (0..150).take_while(|_| Arc::strong_count(&app) > 2) {
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Serves one request. An error ends only this connection.
fn serve(app: &App, mut stream: &TcpStream) -> io::Result<()> {
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    stream.set_nodelay(true)?;
    // A client that stalls within its request, or reads nothing, is cut off after three seconds.
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    stream.set_write_timeout(Some(Duration::from_secs(3)))?;
    let (mut connection, mut buffer) = (http1::Connection::default(), [0; 4096]);
    let request = loop {
        let read = stream.read(&mut buffer)?;
        if let Some(request) = connection.feed(&buffer[..read])? {
            break request;
        }
    };
    let answer = app.answer(&request, |events| events);
    stream.write_all(&connection.head(&answer))?;
    let mut body = answer.into_body();
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let chunk = match wait(frame, app.keep_alive()) {
            Some(Some(Ok(frame))) => frame,
            Some(None) => return stream.write_all(connection.end()),
            None => Frame::data(Bytes::from_static(b": keep-alive comment\n")),
        };
        stream.write_all(&connection.chunk(chunk))?;
    }
}
