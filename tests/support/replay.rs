//! What each fuzz target does with its bytes; the stable tests do the same with the seeds.

use super::broadcast;
use super::broadcast_merge;
use super::broadcast_ops;
use super::client;
use super::client_setup;
use super::input::Input;
use super::laws::{
    arrives_normalized, comes_back, encodes_exactly, splits_the_same, takes_text_only,
};
use super::laws_decode;
use super::laws_ids;
use super::life;
use super::life_seed;
use super::play::{plays_like_its_model, read};

/// The first byte is the cut, the rest the text.
pub fn lines(data: &[u8]) {
    let mut input = Input(data);
    let cut = usize::from(input.byte());
    splits_the_same(&String::from_utf8_lossy(input.0), cut);
    takes_text_only(input.0, cut);
    laws_decode::reads_the_same_lines(&String::from_utf8_lossy(input.0), cut);
}

/// `type|id|nanoseconds|comment|data`.
pub fn encode(data: &[u8]) {
    let parts = Input(data).parts();
    let event = parts.event();
    arrives_normalized(&event);
    encodes_exactly(&event);
}

/// A query, then the lines of a header, each after an LF.
pub fn request(data: &[u8]) {
    let mut lines = data.split(|&byte| byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let lines: Vec<_> = lines.collect();
    laws_ids::a_request_is_read_like_a_naive_reader_does(&lines, Some(&query));
    for line in lines {
        laws_ids::what_is_published_comes_back(&String::from_utf8_lossy(line));
    }
}

/// Limits, then operations, a byte for each choice.
pub fn target(data: &[u8]) {
    let (rules, operations) = read(data);
    plays_like_its_model(rules, &operations);
}

/// Where the stream comes from, the adapters, `|`, then steps; [`life_seed::read`] has the letters.
pub fn life(data: &[u8]) {
    let (origin, adapters, steps) = life_seed::read(data);
    life::lives_like_its_model(origin, &adapters, &steps);
    life::until_means_the_same_anywhere(origin, &adapters, &steps);
}

/// The setup, `|`, then steps; [`client_setup::read`] has the letters.
pub fn client(data: &[u8]) {
    let (setup, steps) = client_setup::read(data);
    client::reconnects_like_its_model(&setup, &steps);
}

/// What is retained, then operations; [`broadcast_ops::read`] has the letters. Behind an `m`, what is
/// merged, then steps: [`broadcast_merge::read`].
pub fn broadcast(data: &[u8]) {
    if let Some(data) = data.strip_prefix(b"m") {
        let (setup, steps) = broadcast_merge::read(data);
        return broadcast_merge::merges_like_its_parts(setup, &steps);
    }
    let (config, ops) = broadcast_ops::read(data);
    broadcast::plays_like_its_model(config, &ops);
}

/// Line limit, event limit, number of chunk lengths, chunk lengths, then the stream.
pub fn decode(data: &[u8]) {
    if let Some((plan, line, event, stream)) = laws_decode::seed(data) {
        laws_decode::all(stream, &plan, line, event);
    }
}

/// The first byte is the length of the chunks, the rest an event as for `encode`.
pub fn round_trip(data: &[u8]) {
    let mut input = Input(data);
    let size = usize::from(input.byte());
    let parts = input.parts();
    let event = parts.event();
    let plan = vec![size; event.encoded_len() / size.max(1)];
    comes_back(&event, if size == 0 { &[] } else { &plan });
}
