//! A hub of events for the users of a site, on one machine or on many. See `README.md`.

mod beat;
mod hub;
mod log;
mod users;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::{select, time::sleep};

use hub::{Hub, Stage};
use log::Place;
use users::Users;

/// How long a node that leaves is not ready and goes on: balancers that check it notice meanwhile.
const NOTICE: Duration = Duration::from_secs(1);

const USAGE: &str = "\
usage: cluster [OPTIONS]
  --redis URL       join the nodes that share this Redis
  --nats URL        join the nodes that share this NATS, with JetStream
  --create          make the stream there, once, and end
  --listen ADDRESS  by default 127.0.0.1:8080
  --name NAME       of this node, by default its address
  --users FILE      by default users.txt of the example, whose tokens everybody knows
  --drain SECONDS   how long streams take to end, by default 5
  --beat MILLIS     between two beats of this node, by default 1000; 0 turns them off";

struct Options {
    place: Place,
    creates: bool,
    listen: String,
    name: Option<String>,
    users: Option<String>,
    drain: u64,
    beat: u64,
}

impl Options {
    /// Reads the arguments; `None` if there are others.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            place: Place::Here,
            creates: false,
            listen: "127.0.0.1:8080".to_owned(),
            name: None,
            users: None,
            drain: 5,
            beat: 1000,
        };
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--create" => options.creates = true,
                "--redis" => options.place = Place::Redis(arguments.next()?),
                "--nats" => options.place = Place::Nats(arguments.next()?),
                "--listen" => options.listen = arguments.next()?,
                "--name" => options.name = Some(arguments.next()?),
                "--users" => options.users = Some(arguments.next()?),
                "--drain" => options.drain = arguments.next()?.parse().ok()?,
                "--beat" => options.beat = arguments.next()?.parse().ok()?,
                _ => return None,
            }
        }
        Some(options)
    }

    fn users(&self) -> Result<Users, Box<dyn Error + Send + Sync>> {
        let text = match &self.users {
            Some(file) => fs::read_to_string(file)?,
            None => include_str!("users.txt").to_owned(),
        };
        Users::parse(&text).ok_or_else(|| "a line of the users has not four columns".into())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = Options::parse(env::args().skip(1)).ok_or(USAGE)?;
    if options.creates {
        options.place.create().await?;
        println!("created");
        return Ok(());
    }
    let users = options.users()?;
    let listener = TcpListener::bind(&options.listen).await?;
    let address = listener.local_addr()?;
    if options.users.is_none() && !address.ip().is_loopback() {
        return Err("other machines can reach this address: give --users of your own".into());
    }
    let name = options.name.unwrap_or_else(|| address.to_string());
    let waves = Duration::from_secs(options.drain);
    let hub: &Hub = Box::leak(Box::new(Hub::new(name, users, waves)));
    ctrlc::set_handler(|| _ = hub.stage.send_replace(Stage::Leaving))?;
    println!("http://{address}");
    tokio::spawn(join(hub, options.place));
    if options.beat > 0 {
        tokio::spawn(beat::publish(hub, Duration::from_millis(options.beat)));
    }

    // Without this, the system may delay an event until the client has acknowledged the previous one.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let server = axum::serve(listener, hub.router());
    let server = server.with_graceful_shutdown(hub.reaches(Stage::Ending));
    select! {
        ended = server.into_future() => ended?,
        // Cuts off clients that read nothing.
        () = leave(hub) => {}
    }
    Ok(())
}

/// Opens the log. Health is not the engine's: while it does not answer, the node is not ready.
async fn join(hub: &Hub, place: Place) {
    loop {
        match place.open().await {
            Ok(log) => {
                // Nothing else sets it.
                let _ = hub.log.set(log);
                return println!("ready");
            }
            Err(error) => eprintln!("cannot join, and tries again: {error}"),
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// After the signal: nobody comes for some time, then the streams end in waves.
async fn leave(hub: &Hub) {
    hub.reaches(Stage::Leaving).await;
    sleep(NOTICE).await;
    hub.stage.send_replace(Stage::Ending);
    sleep(hub.waves + Duration::from_secs(1)).await;
}
