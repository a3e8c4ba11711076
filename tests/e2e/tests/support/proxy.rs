//! The network between a client and a server, which breaks.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// A TCP proxy that can cut connections at random places. Dropped, it accepts no more.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    cuts: AtomicBool,
    cut: AtomicUsize,
    random: AtomicUsize,
    stopped: AtomicBool,
}

impl Proxy {
    /// Stands before a server. The seed decides where it will cut.
    pub(crate) fn start(server: SocketAddr, seed: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        state.random.store(seed, SeqCst);
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.stopped.load(SeqCst) {
                    return;
                }
                let state = Arc::clone(&accepting);
                thread::spawn(move || pass(&client, server, &state));
            }
        });
        Self { address, state }
    }

    /// Begins to cut each connection after some bytes, or ends that.
    pub(crate) fn cuts(&self, does: bool) {
        self.state.cuts.store(does, SeqCst);
    }

    /// How many connections it has cut.
    pub(crate) fn cut(&self) -> usize {
        self.state.cut.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stopped.store(true, SeqCst);
        // So that it sees that.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    /// Returns a number below this: of a linear congruential generator, whose high bits are the better ones.
    fn below(&self, end: usize) -> usize {
        let next = |random: usize| {
            random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let random = self
            .random
            .fetch_update(SeqCst, SeqCst, |old| Some(next(old)));
        (next(random.unwrap_or_default()) >> 33) % end
    }
}

/// Passes on what both say, until one ends or the connection is cut.
fn pass(client: &TcpStream, server: SocketAddr, state: &State) -> Option<()> {
    let server = TcpStream::connect(server).ok()?;
    client.set_nodelay(true).ok()?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*client, &mut &server);
            let _ = server.shutdown(Shutdown::Both);
        });
        let was_cut = pass_back(&server, client, state);
        if was_cut {
            state.cut.fetch_add(1, SeqCst);
            if state.below(2) == 0 {
                // A reset, not an end.
                let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
            }
        }
        let _ = server.shutdown(Shutdown::Both);
        // Only the reading: the end or the reset comes with the drop.
        let _ = client.shutdown(Shutdown::Read);
    });
    Some(())
}

/// Returns whether it was cut.
fn pass_back(mut server: &TcpStream, mut client: &TcpStream, state: &State) -> bool {
    let mut left = 1 + state.below(4000);
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        let cuts = state.cuts.load(SeqCst);
        let passed = if cuts { read.min(left) } else { read };
        if client.write_all(&buffer[..passed]).is_err() {
            return false;
        }
        if cuts {
            left -= passed;
            if left == 0 {
                return true;
            }
        }
    }
    false
}
