//! Deliveries to many clients, by axum's own event streams and by those of `sse-proto` on the same axum.
//!
//! `cargo run --release -- [CONNECTIONS]...`, by default 1000 and 10000. The servers take turns, each a process of its own
//! whose CPU the kernel counts; each client checks that it gets every event, in order.

mod clients;
mod process;
mod server;

use std::time::{Duration, Instant};

use clients::Clients;
use process::Server;
use server::Kind;

/// How often each server has its turn.
const TURNS: usize = 3;

/// The sizes of the bursts, and how many deliveries a turn has about of each.
const BURSTS: [(u64, u64); 2] = [(1, 400_000), (64, 4_000_000)];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    rlimit::increase_nofile_limit(u64::MAX).expect("as many files as there may be");
    if let ["serve", kind] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return server::serve(Kind::named(kind).expect("a name of the report"));
    }
    let counts = arguments
        .iter()
        .map(|count| count.parse().expect("a number of connections"));
    let counts: Vec<usize> = counts.collect();
    let counts = if counts.is_empty() {
        vec![1000, 10_000]
    } else {
        counts
    };
    for connections in counts {
        compare(connections);
    }
}

fn compare(connections: usize) {
    let kinds = Kind::ALL;
    let mut turns: [Vec<Turn>; 3] = Default::default();
    for _ in 0..TURNS {
        for (kind, turns) in kinds.into_iter().zip(&mut turns) {
            turns.push(turn(kind, connections));
        }
    }
    println!("\n{connections} connections");
    for (kind, turns) in kinds.iter().zip(&turns) {
        let memory = median(turns.iter().map(|turn| turn.memory));
        println!(
            "  {:<20}{memory:>6.0} bytes of memory for an idle connection",
            kind.name()
        );
    }
    println!(
        "{:>44}{:>14}{:>14}{:>12}",
        "deliveries/s", "server CPU, ns", "p50, ms", "p99, ms"
    );
    for (at, (burst, _)) in BURSTS.iter().enumerate() {
        for (kind, turns) in kinds.iter().zip(&turns) {
            let figure = |of: fn(&Run) -> f64| median(turns.iter().map(|turn| of(&turn.runs[at])));
            println!(
                "  {:<20}bursts of {burst:<4}{:>14.0}{:>14.0}{:>14.2}{:>12.2}",
                kind.name(),
                figure(|run| run.deliveries_a_second),
                figure(|run| run.cpu_a_delivery),
                figure(|run| run.delay_median),
                figure(|run| run.delay_99),
            );
        }
    }
}

struct Turn {
    memory: f64,
    runs: Vec<Run>,
}

/// What one size of bursts came to.
struct Run {
    deliveries_a_second: f64,
    /// In nanoseconds.
    cpu_a_delivery: f64,
    /// In milliseconds.
    delay_median: f64,
    delay_99: f64,
}

fn turn(kind: Kind, connections: usize) -> Turn {
    let mut server = Server::start(kind);
    let before = server.memory();
    let mut clients = Clients::connect(server.port, connections);
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let memory = (server.memory() - before) as f64 / connections as f64;
    let mut next = 0;
    let runs = BURSTS.map(|burst| {
        run(
            &mut server,
            &mut clients,
            connections as u64,
            burst,
            &mut next,
        )
    });
    Turn {
        memory,
        runs: runs.into(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures to read")]
fn run(
    server: &mut Server,
    clients: &mut Clients,
    connections: u64,
    (burst, deliveries): (u64, u64),
    next: &mut u64,
) -> Run {
    let bursts = (deliveries / connections / burst).max(4);
    clients.delays.clear();
    let (start, cpu) = (Instant::now(), server.cpu());
    for _ in 0..bursts {
        server.publish(*next, burst);
        *next += burst;
        clients.read_up_to(*next);
        server.confirm(1);
    }
    let (took, cpu) = (start.elapsed(), server.cpu().saturating_sub(cpu));
    let deliveries = bursts * burst * connections;
    assert_eq!(
        clients.delays.len() as u64,
        deliveries,
        "each event at each client"
    );
    clients.delays.sort_unstable();
    let delay = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in the list"
        )]
        let at = (clients.delays.len() as f64 * part) as usize;
        Duration::from_nanos(clients.delays[at]).as_secs_f64() * 1e3
    };
    Run {
        deliveries_a_second: deliveries as f64 / took.as_secs_f64(),
        cpu_a_delivery: cpu.as_nanos() as f64 / deliveries as f64,
        delay_median: delay(0.5),
        delay_99: delay(0.99),
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
