//! The encoders of `sse-proto`, axum, russe and sse-stream, and the decoders of `sse-proto`, sse-core, sse-stream, sseer and
//! eventsource-stream, on the same work.
//!
//! `cargo bench -p peers` prints times and ratios (`encode`), allocations (`allocations`) what a channel costs
//! (`channel`), and what an event to many clients costs (`broadcast`).
//!
//! Rules of the comparison: everybody gets the same ready-made `&'static str`s, builds its own event from them in the measured time, and
//! is used through the fastest way that its public interface offers. An encoder whose output does not arrive as what was sent is left out
//! of that row, with a note.

mod axum;
mod broadcast;
mod channel;
mod decode;
#[path = "../../harness/mod.rs"]
pub mod harness;
mod limit;
mod ours;
mod reader;
mod readers;
mod russe;
mod sse_stream;
mod streams;
mod work;

pub use broadcast::broadcasts;
pub use channel::channels;
pub use decode::{Decoders, compare_decoders, decoders};
pub use work::{Work, works};

use bytes::{Bytes, BytesMut};
use harness::{Candidate, Role};
use std::hint::black_box;

/// How encoded events leave the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Appended to a buffer that is emptied and used again.
    Append,
    /// Each in a `Bytes` of its own, in memory of its own.
    Bytes,
    /// Each in a `Bytes` split off a shared buffer, which takes the memory back when the `Bytes` is dropped.
    Split,
}

impl Way {
    /// All ways, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Append, Self::Bytes, Self::Split];

    /// Returns the way's name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "appended to a reused buffer",
            Self::Bytes => "one Bytes an event",
            Self::Split => "one Bytes an event, split off a reused buffer",
        }
    }
}

/// Returns everybody who can do this work this way, and prints who was left out because its output reads as something else.
pub fn candidates(work: &'static Work, way: Way) -> Vec<Candidate<'static>> {
    let all = [
        limit::entries(work, way),
        ours::entries(work, way),
        russe::entries(work, way),
        axum::entries(work, way),
        sse_stream::entries(work, way),
    ];
    let (fit, unfit): (Vec<Entry>, Vec<Entry>) = all
        .into_iter()
        .flatten()
        .partition(|entry| work.is_what_arrives_from(&entry.output));
    for entry in unfit {
        println!(
            "\n  left out of '{}': {}, since its output arrives as other data",
            work.name,
            entry.candidate.name()
        );
    }
    fit.into_iter().map(|entry| entry.candidate).collect()
}

/// A candidate and what it made of the work once, to be checked before anything is measured.
struct Entry {
    candidate: Candidate<'static>,
    output: Bytes,
}

impl Entry {
    fn append(
        role: Role,
        name: &str,
        work: &'static Work,
        mut encode: impl FnMut(&Work, &mut BytesMut) + 'static,
    ) -> Self {
        let mut buffer = BytesMut::with_capacity(buffer_len(work));
        encode(work, &mut buffer);
        let output = Bytes::copy_from_slice(&buffer);
        let iteration = move || {
            // Event after event, so that no luck in how one stands in memory decides.
            if buffer.capacity() - buffer.len() < room_for_one(work) {
                buffer.clear();
            }
            encode(black_box(work), &mut buffer);
            black_box(&mut buffer);
        };
        Self {
            candidate: Candidate::new(role, name, iteration),
            output,
        }
    }

    fn bytes(
        role: Role,
        name: &str,
        work: &'static Work,
        mut encode: impl FnMut(&Work) -> Bytes + 'static,
    ) -> Self {
        let output = encode(work);
        Self {
            candidate: Candidate::new(role, name, move || encode(black_box(work))),
            output,
        }
    }

    fn split(
        role: Role,
        name: &str,
        work: &'static Work,
        mut encode: impl FnMut(&Work, &mut BytesMut) + 'static,
    ) -> Self {
        let mut buffer = BytesMut::with_capacity(buffer_len(work));
        Self::bytes(role, name, work, move |work| {
            encode(work, &mut buffer);
            buffer.split().freeze()
        })
    }
}

fn buffer_len(work: &Work) -> usize {
    room_for_one(work).max(16 * 1024)
}

/// More than an event is long: an encoder may ask for more room than it comes to use.
fn room_for_one(work: &Work) -> usize {
    2 * work.wire.len() + 64
}
