//! What reconnecting clients hold: 10 000 of them in each state, and one over a simulated year.

#[path = "../client/mod.rs"]
mod client;

use std::time::Instant;

use client::{ALL, Year, bytes_after_a_limit, bytes_for_each};

const CLIENTS: u32 = 10_000;

fn main() {
    println!("{CLIENTS} clients, bytes for each, the struct itself with it:");
    for doing in ALL {
        println!(
            "    {:<18} {:>6}",
            format!("{doing:?}"),
            bytes_for_each(doing, CLIENTS)
        );
    }

    println!("    closed by a limit  {:>6}", bytes_after_a_limit());

    println!("a year of reconnects on a fake clock, bytes grown in each month:");
    let started = Instant::now();
    let mut year = Year::new();
    let grown: Vec<String> = (0..Year::MONTHS)
        .map(|_| year.month().to_string())
        .collect();
    println!("    {}", grown.join(" "));
    let took = started.elapsed();
    println!(
        "    {} requests, {} events, in {took:.1?}",
        year.requests, year.events
    );
}
