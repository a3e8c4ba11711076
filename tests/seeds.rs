//! Replays the committed seeds of the fuzz targets. Each is named after the case it holds; every
//! bug that is found leaves one.

#![cfg(feature = "std")]

mod support;

use std::path::Path;

fn replay(target: &str, law: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).expect("the seeds are committed") {
        let path = entry.expect("a folder that can be read").path();
        println!("{}", path.display());
        law(&std::fs::read(&path).expect("a file that can be read"));
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds in {}", folder.display());
}

#[test]
fn lines() {
    replay("lines", support::replay::lines);
}

#[test]
fn encode() {
    replay("encode", support::replay::encode);
}

#[test]
fn request() {
    replay("request", support::replay::request);
}

#[test]
fn target() {
    replay("target", support::replay::target);
}

#[test]
fn life() {
    replay("life", support::replay::life);
}

#[test]
fn broadcast() {
    replay("broadcast", support::replay::broadcast);
}

#[test]
fn client() {
    replay("client", support::replay::client);
}

/// Whatever the seed's own chunks, every stream is also cut at every position.
#[test]
fn decode() {
    use support::laws_decode as laws;

    replay("decode", |input| {
        let (plan, line, event, stream) = laws::seed(input).expect("a seed has a plan");
        laws::all(stream, &plan, line, event);
        if stream.len() < 300 {
            for cut in 0..=stream.len() {
                laws::all(stream, &[cut], line, event);
                laws::all(stream, &[cut, 0, 1], line, event);
            }
        }
        if stream.len() < 10_000 {
            laws::all(stream, &vec![1; stream.len()], line, event);
            laws::all(stream, &[7; 500], line, event);
        }
    });
}

#[test]
fn round_trip() {
    replay("round_trip", support::replay::round_trip);
}
