//! Server-sent events on monoio, with `io_uring` and futures that are not `Send`. For `App` see `../README.md`.

use std::{io, rc::Rc, time::Duration};

use app::{App, http1};
use http_body_util::BodyExt;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::time::sleep;
use sse_proto::EventStreamExt;

#[monoio::main(timer_enabled = true)]
async fn main() -> io::Result<()> {
    let app = Rc::new(App::start());
    let listener = TcpListener::bind(app.address())?;
    app.listens(listener.local_addr()?);
    let mut shutdown = Box::pin(app.shutdown());
    loop {
        monoio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(monoio::spawn(serve(Rc::clone(&app), stream))),
                // If there are no file descriptors left, the next attempt would fail at once.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            () = &mut shutdown => break,
        }
    }
    // The streams end by themselves. After three seconds, clients that read nothing are cut off.
    for _ in (0..150).take_while(|_| Rc::strong_count(&app) > 1) {
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Serves one request. An error ends only this connection.
async fn serve(app: Rc<App>, mut stream: TcpStream) -> io::Result<()> {
    // Without this, the system may delay an event until the client has acknowledged the previous one.
    stream.set_nodelay(true)?;
    let mut connection = http1::Connection::default();
    let request = loop {
        let (read, buffer) = stream.read(vec![0; 4096]).await;
        if let Some(request) = connection.feed(&buffer[..read?])? {
            break request;
        }
    };
    let keep_alive = app.keep_alive();
    let answer = app.answer(&request, |events| events.keep_alive(keep_alive, sleep));
    stream.write_all(connection.head(&answer)).await.0?;
    let mut body = Box::pin(answer.into_body());
    while let Some(Ok(frame)) = monoio::select! {
        frame = body.frame() => frame,
        // A client sends nothing after its request, so the connection is readable only once it has
        // ended.
        _ = stream.readable(false) => None,
    } {
        stream.write_all(connection.chunk(frame)).await.0?;
    }
    stream.write_all(connection.end()).await.0.map(drop)
}
