//! Interleaved measurement of several ways to do the same work.
//!
//! Absolute times do not hold on shared machines, so all candidates of one comparison run in one process, in short samples that
//! alternate round by round, and a ratio is the median of the ratios within the rounds: what slows a round slows both its sides.

#![expect(
    clippy::cast_precision_loss,
    reason = "three digits of each figure are printed"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

/// What a candidate is to the others of its comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This crate.
    Ours,
    /// Another crate that does the same work; the fastest one is the reference.
    Peer,
    /// What the machine does without any protocol: nobody can be faster.
    Limit,
}

/// One way to do the work of a comparison.
pub struct Candidate<'a> {
    name: String,
    role: Role,
    // The loop is inside, so that a candidate is called through a pointer once a sample and not once an iteration.
    run: Box<dyn FnMut(u64) + 'a>,
}

impl<'a> Candidate<'a> {
    /// Creates a candidate from one iteration; what it returns is kept from being optimized away, then dropped, in the measured time.
    pub fn new<R>(
        role: Role,
        name: impl Into<String>,
        mut iteration: impl FnMut() -> R + 'a,
    ) -> Self {
        let run = move |iterations| {
            for _ in 0..iterations {
                black_box(iteration());
            }
        };
        Self {
            name: name.into(),
            role,
            run: Box::new(run),
        }
    }

    /// Returns the name in the tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs so many iterations.
    pub fn run(&mut self, iterations: u64) {
        (self.run)(iterations);
    }

    fn time(&mut self, iterations: u64) -> Duration {
        let start = Instant::now();
        self.run(iterations);
        start.elapsed()
    }
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// What one iteration does, for the figures per event and per second.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// How many events it handles.
    pub events: u32,
    /// How many bytes those events are on the wire.
    pub bytes: usize,
}

struct Measured {
    name: String,
    role: Role,
    /// Nanoseconds an event, one value a round.
    rounds: Vec<f64>,
}

impl Measured {
    fn median(&self) -> f64 {
        quartile(&self.rounds, 2)
    }

    /// The range of the middle half of the rounds, as a part of the median.
    fn spread(&self) -> f64 {
        (quartile(&self.rounds, 3) - quartile(&self.rounds, 1)) / self.median()
    }

    /// How many times as long as this the other one takes.
    fn faster_than(&self, other: &Self) -> f64 {
        let rounds = self.rounds.iter().zip(&other.rounds);
        let ratios: Vec<f64> = rounds.map(|(mine, theirs)| theirs / mine).collect();
        quartile(&ratios, 2)
    }
}

/// Measures the candidates in turn and prints one line for each.
///
/// Under `cargo bench` only comparisons whose title contains the command line's argument run. Without `--bench`, as under
/// `cargo test --all-targets`, each candidate runs once, to show that it works, and nothing is measured.
pub fn compare(title: &str, work: Work, candidates: &mut [Candidate<'_>]) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| !argument.starts_with('-') && !title.contains(argument.as_str()))
    {
        return;
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        for candidate in candidates {
            candidate.run(1);
        }
        return println!("{title}: ran, not measured (this is not `cargo bench`)");
    }
    print_table(title, work, &measure(work, candidates));
}

const ROUNDS: usize = 101;
const SAMPLE: Duration = Duration::from_millis(1);

fn measure(work: Work, candidates: &mut [Candidate<'_>]) -> Vec<Measured> {
    let iterations: Vec<u64> = candidates.iter_mut().map(calibrate).collect();
    let mut measured: Vec<Measured> = candidates
        .iter()
        .map(|candidate| Measured {
            name: candidate.name.clone(),
            role: candidate.role,
            rounds: Vec::with_capacity(ROUNDS),
        })
        .collect();
    for round in 0..ROUNDS {
        for turn in 0..candidates.len() {
            // Each round starts with another one, so that nobody always runs after the same neighbour's traces in the caches.
            let index = (round + turn) % candidates.len();
            let elapsed = candidates[index].time(iterations[index]);
            let events = iterations[index] as f64 * f64::from(work.events);
            measured[index]
                .rounds
                .push(elapsed.as_secs_f64() * 1e9 / events);
        }
    }
    measured
}

/// Warms up, and returns how many iterations fill a sample.
fn calibrate(candidate: &mut Candidate<'_>) -> u64 {
    let mut iterations = 1;
    while candidate.time(iterations) < SAMPLE {
        iterations *= 2;
    }
    let elapsed = candidate.time(iterations);
    let wanted = u128::from(iterations) * SAMPLE.as_nanos() / elapsed.as_nanos().max(1);
    u64::try_from(wanted).map_or(iterations, |wanted| wanted.max(1))
}

fn print_table(title: &str, work: Work, measured: &[Measured]) {
    let fastest = |role| {
        let those = measured.iter().filter(move |one| one.role == role);
        those.min_by(|a, b| a.median().total_cmp(&b.median()))
    };
    let (peer, limit) = (fastest(Role::Peer), fastest(Role::Limit));
    println!("\n{title}");
    println!(
        "  {:<48}{:>12}{:>8}{:>9}{:>12}{:>10}",
        "", "ns an event", "spread", "GB/s", "x best peer", "x limit"
    );
    for one in measured {
        let bytes_per_event = work.bytes as f64 / f64::from(work.events);
        let against_peer = peer.map_or(String::from("-"), |peer| {
            format!("{:.2}", one.faster_than(peer))
        });
        // The other way round: how many times the limit's time it takes.
        let against_limit = limit.map_or(String::from("-"), |limit| {
            format!("{:.2}", limit.faster_than(one))
        });
        println!(
            "  {:<48}{:>12.1}{:>7.1}%{:>9.2}{against_peer:>12}{against_limit:>10}",
            one.name,
            one.median(),
            one.spread() * 100.0,
            bytes_per_event / one.median(),
        );
    }
    if let Some(peer) = peer {
        println!("  best peer: {}", peer.name);
    }
}

fn quartile(values: &[f64], quarters: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = sorted.len().saturating_sub(1) * quarters / 4;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
