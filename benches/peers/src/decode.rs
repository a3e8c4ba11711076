//! Decoding: everybody on every stream.

use std::hint::black_box;
use std::rc::Rc;

use bytes::Bytes;

use crate::harness::{Candidate, Role, Work, compare};
use crate::readers::{READERS, Visit};
use crate::streams::rows;

/// Compares all decoders on all streams, in one run.
///
/// # Panics
///
/// When a decoder reads something else than the others.
pub fn compare_decoders() {
    for stream in decoders() {
        let Decoders {
            title,
            work,
            mut candidates,
        } = stream;
        compare(&title, work, &mut candidates);
    }
}

/// All decoders on one stream, each from its beginning to its end in an iteration.
#[derive(Debug)]
pub struct Decoders {
    /// The stream, and how it is cut.
    pub title: String,
    /// What an iteration reads.
    pub work: Work,
    /// The decoders, behind the limit.
    pub candidates: Vec<Candidate<'static>>,
}

/// Returns all decoders on all streams. Before they are handed out, all must agree on every type, id and data.
///
/// # Panics
///
/// When a decoder reads something else than the others.
pub fn decoders() -> impl Iterator<Item = Decoders> {
    rows().into_iter().map(|(title, chunks)| {
        let chunks: Rc<[Bytes]> = chunks.into();
        let (expected, events) = fingerprint(READERS[0].decode, &chunks);
        let bytes = chunks.iter().map(Bytes::len).sum();
        let is_large = events < 32;
        let copied = Rc::clone(&chunks);
        let limit = move || copy(black_box(&copied));
        let mut candidates = vec![Candidate::new(
            Role::Limit,
            "limit: memchr2 + memcpy",
            limit,
        )];
        for reader in READERS
            .iter()
            .filter(|reader| !(is_large && reader.quadratic))
        {
            let (found, _) = fingerprint(reader.decode, &chunks);
            assert_eq!(found, expected, "{} differs on {title}", reader.name);
            let chunks = Rc::clone(&chunks);
            candidates.push(Candidate::new(reader.role, reader.name, move || {
                let mut sum = 0;
                (reader.decode)(black_box(&chunks), &mut |event_type, id, data| {
                    sum += event_type.len() + id.len() + data.len();
                });
                sum
            }));
        }
        Decoders {
            title,
            work: Work { events, bytes },
            candidates,
        }
    })
}

/// A walk over the line ends, and a copy of all bytes as they come.
fn copy(chunks: &[Bytes]) -> Vec<u8> {
    let mut copy = Vec::new();
    for chunk in chunks {
        black_box(memchr::memchr2_iter(b'\n', b'\r', chunk).count());
        copy.extend_from_slice(chunk);
    }
    copy
}

/// All that a decoder tells, as a number, and how many events.
fn fingerprint(decode: fn(&[Bytes], Visit<'_>), chunks: &[Bytes]) -> (u64, u32) {
    let (mut hash, mut events) = (0xcbf2_9ce4_8422_2325_u64, 0);
    decode(chunks, &mut |event_type, id, data| {
        events += 1;
        for byte in [event_type, "\0", id, "\0", data, "\0"]
            .into_iter()
            .flat_map(str::bytes)
        {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    });
    (hash, events)
}
