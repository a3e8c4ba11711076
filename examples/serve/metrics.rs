//! This machine's metrics, once a second.

use std::thread;
use std::time::Duration;

use serde::Serialize;
use sse_proto::{Event, EventType};
use sysinfo::System;

use crate::log::log;
use crate::publisher::Publisher;

/// At least `sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`; otherwise the usage would stay at zero.
const INTERVAL: Duration = Duration::from_secs(1);

/// A reading, and when it was taken.
#[derive(Serialize)]
struct Reading<T> {
    /// In milliseconds since the server started.
    at: u64,
    #[serde(flatten)]
    value: T,
}

/// In percent.
#[derive(Serialize)]
struct Cpu {
    total: f32,
    cores: Vec<f32>,
}

/// In bytes.
#[derive(Serialize)]
struct Memory {
    total: u64,
    used: u64,
    swap_total: u64,
    swap_used: u64,
}

/// The averages over 1, 5 and 15 minutes; zero on systems without load averages.
#[derive(Serialize)]
struct Load {
    one: f64,
    five: f64,
    fifteen: f64,
}

/// Publishes an event of each kind every second, and never returns.
pub(crate) fn publish(publisher: &Publisher) -> ! {
    let mut system = System::new();
    // The usage of a core is measured between two refreshes.
    system.refresh_cpu_usage();
    loop {
        thread::sleep(INTERVAL);
        system.refresh_cpu_usage();
        system.refresh_memory();
        let load = System::load_average();
        let cpu = Cpu {
            total: rounded(system.global_cpu_usage()),
            cores: system
                .cpus()
                .iter()
                .map(|core| rounded(core.cpu_usage()))
                .collect(),
        };
        let memory = Memory {
            total: system.total_memory(),
            used: system.used_memory(),
            swap_total: system.total_swap(),
            swap_used: system.used_swap(),
        };
        let load = Load {
            one: load.one,
            five: load.five,
            fifteen: load.fifteen,
        };
        publish_one(publisher, EventType::from_static("cpu"), cpu);
        publish_one(publisher, EventType::from_static("memory"), memory);
        publish_one(publisher, EventType::from_static("load"), load);
    }
}

fn publish_one(publisher: &Publisher, event_type: EventType<'static>, value: impl Serialize) {
    let name = event_type.as_str().to_owned();
    let at = publisher.millis();
    match Event::json(&Reading { at, value }) {
        Ok(event) => publisher.publish(&event.with_event_type(event_type)),
        Err(error) => log(format_args!("no {name} event: {error}")),
    }
}

fn rounded(percent: f32) -> f32 {
    (percent * 10.0).round() / 10.0
}
