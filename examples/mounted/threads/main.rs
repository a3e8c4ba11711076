//! Server-sent events on std alone: a thread for each connection, no async. For `App` see `../README.md`.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{future::poll_fn, pin::Pin, thread, time::Duration};

use app::{App, http1, wait};
use sse_proto::bytes::Bytes;
use sse_proto::http_body::{Body as _, Frame};

fn main() -> io::Result<()> {
    let app = App::start();
    let listener = TcpListener::bind(app.address())?;
    let address = listener.local_addr()?;
    app.listens(address);
    let (app, until) = (&app, app.shutdown());
    thread::scope(|scope| {
        // A connection of its own ends the wait for the next one.
        scope.spawn(move || {
            wait(until, Duration::MAX);
            TcpStream::connect(address)
        });
        for stream in listener.incoming().take_while(|_| !app.is_shut_down()) {
            match stream {
                // An error is the end of this client and of nothing else.
                Ok(stream) => drop(scope.spawn(move || serve(app, &stream))),
                Err(_) => thread::sleep(Duration::from_millis(10)), // Too many files are open, for example.
            }
        }
    });
    Ok(())
}

fn serve(app: &App, mut stream: &TcpStream) -> io::Result<()> {
    // Or the system holds an event back until the client has acknowledged the one before.
    stream.set_nodelay(true)?;
    // Who sends or reads nothing for so long is cut off.
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    stream.set_write_timeout(Some(Duration::from_secs(3)))?;
    let (mut input, mut buffer) = (http1::Input::default(), [0; 4096]);
    let request = loop {
        let read = stream.read(&mut buffer)?;
        if let Some(request) = input.feed(&buffer[..read])? {
            break request;
        }
    };
    let answer = app.answer(&request, |events| events);
    stream.write_all(&http1::head(&answer))?;
    let mut body = answer.into_body();
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let chunk = match wait(frame, app.keep_alive()) {
            Some(Some(Ok(frame))) => frame,
            Some(None) => return stream.write_all(http1::LAST_CHUNK),
            None => Frame::data(Bytes::from_static(b": keep-alive comment\n\n")),
        };
        stream.write_all(&http1::chunk(chunk))?;
    }
}
