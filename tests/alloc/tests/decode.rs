//! No allocation per borrowed event in the steady state.

use allocation_counter::measure;
use sse_proto::{Chunk, Decoder, OwnedItem};

const KINDS: [&str; 5] = [
    "event: delta\ndata: {\"text\":\"0123456789012345678901234567890123456789\"}\n\n",
    "id: 1234567\ndata: 01234567890123456789\n\n",
    "data: one\r\ndata: two\r\ndata: three\r\n\r\n",
    ": keep-alive\n\n",
    "data: a\u{20AC}b\nretry: 5\nid\nunknown: x\ndata: c\n\n",
];

fn decode(decoder: &mut Decoder, stream: &[u8], size: usize) -> usize {
    let mut read = 0;
    for piece in stream.chunks(size) {
        let mut chunk = Chunk::new(piece);
        while let Some(item) = decoder.decode_chunk(&mut chunk).unwrap() {
            read += item
                .event()
                .map_or(0, |event| event.data().len() + event.event_type().len());
        }
    }
    for mut slice in stream.chunks(size) {
        while let Some(item) = decoder.decode(&mut slice).unwrap() {
            read += item
                .event()
                .map_or(0, |event| event.data().len() + event.last_event_id().len());
        }
    }
    read
}

#[test]
fn borrowed_events_allocate_nothing_in_the_steady_state() {
    for kind in KINDS {
        let stream = kind.repeat(200);
        for size in [1, 16, 100, 1460, 1 << 16] {
            let mut decoder = Decoder::new();
            decode(&mut decoder, stream.as_bytes(), size);
            let counted = measure(|| {
                std::hint::black_box(decode(&mut decoder, stream.as_bytes(), size));
            });
            assert_eq!(counted.count_total, 0, "{kind:?} in chunks of {size}");
        }
    }
}

#[test]
fn an_owned_event_is_one_allocation() {
    let stream = KINDS[0].repeat(100);
    let mut decoder = Decoder::new();
    let mut input = stream.as_bytes();
    decoder.decode_owned(&mut input).unwrap();
    let mut events = 0;
    let counted = measure(|| {
        while let Some(item) = decoder.decode_owned(&mut input).unwrap() {
            events += usize::from(matches!(item, OwnedItem::Event(_)));
        }
    });
    assert_eq!((events, counted.count_total), (99, 99));
}

#[test]
fn a_large_event_is_handed_over_without_a_copy() {
    let len = 1 << 20;
    let mut stream = b"data: ".to_vec();
    stream.resize(len, b'x');
    stream.extend(b"\n\n");
    let counted = measure(|| {
        let mut decoder = Decoder::new();
        for piece in stream.chunks(1460) {
            let item = decoder.decode_owned(&mut &piece[..]).unwrap();
            assert!(item.is_none() || decoder.memory_held() < len / 8);
        }
    });
    // A buffer that doubles, while it is moved: three times at most, never four.
    assert!(
        counted.bytes_max < 4 * len as u64,
        "{} bytes at most",
        counted.bytes_max
    );
}
