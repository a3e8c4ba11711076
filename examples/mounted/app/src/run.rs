//! The life of a server: how it is started, what it publishes, when it ends.

use std::env;
use std::fmt;
use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::Shared;
use sse_proto::broadcast::Retention;
use sse_proto::{Broadcast, Event, Frame};

use crate::ends::Ends;
use crate::ticks::{TICK, data};

/// The service of every example. Clones share it.
#[derive(Clone)]
pub struct App {
    pub(crate) broadcast: Broadcast,
    pub(crate) ends: Arc<Ends>,
    keep_alive: Duration,
    shutdown: Shared<oneshot::Receiver<()>>,
}

impl App {
    /// Starts the service: a thread that publishes the ticks, and a thread that waits for Ctrl-C or
    /// SIGTERM. Neither needs a runtime.
    ///
    /// # Panics
    ///
    /// If the process handles these signals already.
    pub fn start() -> Self {
        let (stop, shutdown) = oneshot::channel();
        let app = Self {
            broadcast: Broadcast::new(Retention::default()),
            ends: Arc::default(),
            keep_alive: Duration::from_secs(argument(3, 15)),
            shutdown: shutdown.shared(),
        };

        let interval = Duration::from_millis(argument(2, 1000));
        let broadcast = app.broadcast.clone();
        if !interval.is_zero() {
            thread::spawn(move || tick(&broadcast, interval));
        }
        let broadcast = app.broadcast.clone();
        let mut stop = Some(stop);
        let told_to_end = move || {
            // All streams end after the published events, with a reconnection time.
            let later = Event::block().with_reconnection_time(Duration::from_secs(1));
            broadcast.close(Some(Frame::new(&later)));
            let _ = stop.take().map(|stop| stop.send(()));
        };
        ctrlc::set_handler(told_to_end).expect("the first handler of these signals");
        app
    }

    /// Returns the address to listen at.
    pub fn address(&self) -> SocketAddr {
        argument(1, SocketAddr::from(([127, 0, 0, 1], 8000)))
    }

    /// Prints the address at which the server listens.
    pub fn listens(&self, address: SocketAddr) {
        println!("listening on http://{address}");
    }

    /// Returns the interval of keep-alive comments.
    pub fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// Returns a future that resolves when the server must stop. The broadcast is closed just
    /// before, so all streams end by themselves.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shutdown.clone().map(drop)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("broadcast", &self.broadcast)
            .finish_non_exhaustive()
    }
}

fn tick(broadcast: &Broadcast, interval: Duration) {
    for number in 1.. {
        thread::sleep(interval);
        // An error means that the broadcast is closed: the server shuts down.
        if broadcast.publish(&Event::new(TICK, data(number))).is_err() {
            return;
        }
    }
}

fn argument<T: std::str::FromStr>(index: usize, default: T) -> T {
    let Some(argument) = env::args().nth(index) else {
        return default;
    };
    argument.parse().unwrap_or_else(|_| {
        eprintln!("bad argument {argument:?}: an address and a port, milliseconds, seconds");
        process::exit(2)
    })
}
