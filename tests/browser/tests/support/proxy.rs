//! The way between browser and server, which can be cut.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes connections on to a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Host and port.
    pub(crate) address: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Passes on to `server`, until the process ends.
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let open = Arc::new(Mutex::new(Vec::new()));
        let (server, list) = (server.to_owned(), Arc::clone(&open));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else {
                    continue;
                };
                let twice = |socket: &TcpStream| socket.try_clone().expect("a handle");
                list.lock()
                    .expect("no panic")
                    .extend([twice(&client), twice(&server)]);
                pass(twice(&client), twice(&server));
                pass(server, client);
            }
        });
        Self { address, open }
    }

    /// Cuts all connections that are open. New ones are passed on.
    pub(crate) fn cut(&self) {
        for socket in self.open.lock().expect("no panic").drain(..) {
            // May have ended by itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Passes on what comes, to the end of one of the two.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
