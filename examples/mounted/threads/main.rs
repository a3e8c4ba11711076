//! Server-sent events on std alone: a thread for each connection, no async. For `App` see `../README.md`.

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
                // There is no file or no thread left, and the next attempt would fail at once.
                thread::sleep(Duration::from_millis(100));
            }
        }
    });
    wait(app.shutdown(), Duration::MAX);
    // The streams end by themselves; who reads nothing, or asks too slowly, is cut off.
    for _ in (0..150).take_while(|_| Arc::strong_count(&app) > 2) {
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Serves one request. An error is the end of this client and of nothing else.
fn serve(app: &App, mut stream: &TcpStream) -> io::Result<()> {
    // Or the system holds an event back until the client has acknowledged the one before.
    stream.set_nodelay(true)?;
    // Who sends or reads nothing for so long is cut off.
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
