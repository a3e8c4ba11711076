//! The laws that the decoder keeps, as functions: property tests, fuzz targets and the replay of the seeds call them.

use sse_proto::decode::{AfterLimit, DecodeError, DecodeLimits, OwnedItem};
use sse_proto::{Chunk, Decoder, Item};

use super::oracle::{self, Said, Settings};

/// What buffers may keep however small the limits are, as the documentation of `DecodeLimits` says.
const CONSTANT: usize = 128 << 10;

/// How a decoder is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Slice,
    Chunk,
    Owned,
}

pub const WAYS: [Way; 3] = [Way::Slice, Way::Chunk, Way::Owned];

fn decoder(settings: &Settings) -> Decoder {
    let limits = match settings.limits {
        Some((line, event)) => DecodeLimits::default()
            .with_line(line)
            .with_id(oracle::id_limit(line))
            .with_event(event),
        None => DecodeLimits::unlimited(),
    };
    let after = if settings.end_at_limit {
        AfterLimit::End
    } else {
        AfterLimit::SkipBlock
    };
    Decoder::new()
        .with_limits(limits.with_after(after))
        .with_comments(settings.comments)
        .with_last_event_ids(settings.last_event_ids)
        .with_last_event_id(&settings.last_event_id)
}

/// The pieces of `stream` that `plan` asks for, each at most so long; the last one takes what is left. A plan of none
/// is the whole stream, a 0 is an empty chunk.
fn pieces<'a>(mut stream: &'a [u8], plan: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &len in plan {
        let (piece, rest) = stream.split_at(len.min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

pub fn say(item: &Item<'_>) -> Said {
    match *item {
        Item::Event(event) => {
            assert_eq!(event.data(), String::from_utf8_lossy(event.data_bytes()));
            assert_eq!(
                event.event_type(),
                String::from_utf8_lossy(event.event_type_bytes())
            );
            assert_eq!(
                event.last_event_id(),
                String::from_utf8_lossy(event.last_event_id_bytes())
            );
            Said::Event {
                event_type: event.event_type().into_owned(),
                data: event.data().into_owned(),
                last_event_id: event.last_event_id().into_owned(),
                own_id: event.has_own_id(),
            }
        }
        Item::ReconnectionTime(time) => Said::ReconnectionTime(time),
        Item::Comment(text) => Said::Comment(text.to_str().into_owned()),
        Item::LastEventId(text) => Said::LastEventId(text.to_str().into_owned()),
        _ => unreachable!("the decoder has no other items"),
    }
}

pub fn say_owned(item: OwnedItem) -> Said {
    match item {
        OwnedItem::Event(event) => {
            let len = event.data().len() + event.event_type().len() + event.last_event_id().len();
            assert!(
                event.capacity() <= 2 * len + 16,
                "an event of {len} bytes holds {}",
                event.capacity()
            );
            Said::Event {
                event_type: event.event_type().to_owned(),
                last_event_id: event.last_event_id().to_owned(),
                own_id: event.has_own_id(),
                data: event.into_data(),
            }
        }
        OwnedItem::ReconnectionTime(time) => Said::ReconnectionTime(time),
        OwnedItem::Comment(text) => Said::Comment(text),
        OwnedItem::LastEventId(text) => Said::LastEventId(text),
        _ => unreachable!("the decoder has no other items"),
    }
}

fn say_error(error: DecodeError) -> Said {
    match error {
        DecodeError::LineTooLong { .. } => Said::LineTooLong,
        DecodeError::IdTooLong { .. } => Said::IdTooLong,
        DecodeError::EventTooLong { .. } => Said::EventTooLong,
        _ => unreachable!("the decoder has no other errors"),
    }
}

/// All that a decoder makes of a stream in pieces, and the last event ID string it leaves. `look` sees the decoder
/// after every step.
pub fn run(
    stream: &[u8],
    plan: &[usize],
    way: Way,
    settings: &Settings,
    mut look: impl FnMut(&Decoder),
) -> (Vec<Said>, String) {
    let mut decoder = decoder(settings);
    let mut said = Vec::new();
    for piece in pieces(stream, plan) {
        take(&mut decoder, piece, way, &mut said, &mut look);
    }
    (said, decoder.last_event_id().into_owned())
}

/// Has a decoder take all of a piece.
fn take(
    decoder: &mut Decoder,
    piece: &[u8],
    way: Way,
    said: &mut Vec<Said>,
    look: &mut impl FnMut(&Decoder),
) {
    let mut chunk = Chunk::new(piece);
    let mut input = piece;
    loop {
        let before = if way == Way::Chunk {
            chunk.remaining()
        } else {
            input
        };
        let step = match way {
            Way::Slice => decoder
                .decode(&mut input)
                .map(|item| item.as_ref().map(say)),
            Way::Chunk => decoder
                .decode_chunk(&mut chunk)
                .map(|item| item.as_ref().map(say)),
            Way::Owned => decoder
                .decode_owned(&mut input)
                .map(|item| item.map(say_owned)),
        };
        let after = if way == Way::Chunk {
            chunk.remaining()
        } else {
            input
        };
        assert!(before.ends_with(after), "a step takes from the front");
        match step {
            Ok(Some(one)) => {
                assert!(
                    after.len() < before.len(),
                    "a step with an item takes bytes"
                );
                said.push(one);
            }
            Ok(None) => {
                assert!(after.is_empty(), "`None` means that all is taken");
                look(decoder);
                return;
            }
            Err(error) => said.push(say_error(error)),
        }
        look(decoder);
    }
}

/// Law 2: any chunking of a byte stream decodes to what the whole decodes to.
pub fn any_chunking_is_the_whole(stream: &[u8], plan: &[usize], settings: &Settings) {
    let whole = run(stream, &[], Way::Slice, settings, |_| {});
    for way in WAYS {
        assert_eq!(
            run(stream, plan, way, settings, |_| {}),
            whole,
            "{way:?}, in chunks {plan:?}"
        );
    }
}

/// Law 3: the decoder equals the oracle.
pub fn decoder_is_the_oracle(stream: &[u8], plan: &[usize], settings: &Settings) {
    let expected = oracle::decode(stream, settings);
    for way in WAYS {
        assert_eq!(
            run(stream, plan, way, settings, |_| {}),
            expected,
            "{way:?}, in chunks {plan:?}"
        );
    }
}

/// Laws 2 and 3 as time goes: whichever way takes each piece, behind it all is told that the oracle makes of what has come
/// so far, and the last event ID is the one there.
pub fn each_piece_tells_what_it_completes(
    stream: &[u8],
    plan: &[(usize, Way)],
    settings: &Settings,
) {
    let mut decoder = decoder(settings);
    let (mut said, mut came) = (Vec::new(), 0);
    let lens: Vec<usize> = plan.iter().map(|&(len, _)| len).collect();
    let ways = plan.iter().map(|&(_, way)| way).chain([Way::Slice]);
    for (piece, way) in pieces(stream, &lens).into_iter().zip(ways) {
        take(&mut decoder, piece, way, &mut said, &mut |_| {});
        came += piece.len();
        let (expected, last_event_id) = oracle::decode(&stream[..came], settings);
        assert_eq!(said, expected, "behind {came} bytes, {plan:?}");
        assert_eq!(
            decoder.last_event_id(),
            last_event_id,
            "behind {came} bytes, {plan:?}"
        );
    }
}

/// Law 7, the receiving side: memory held never passes the event limit, the last event ID, the line limit where comments
/// are handed out, and a constant; small events later it is the last event ID and the constant.
pub fn memory_stays_within_the_limits(stream: &[u8], plan: &[usize], line: usize, event: usize) {
    for (way, comments) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let settings = Settings {
            limits: Some((line, event)),
            comments,
            ..Settings::default()
        };
        run(stream, plan, way, &settings, |decoder| {
            let most = event
                + if comments { line } else { 0 }
                + decoder.last_event_id_bytes().len()
                + CONSTANT;
            let held = decoder.memory_held();
            assert!(held <= most, "{held} bytes held, {most} allowed");
        });
        let mut decoder = decoder(&settings);
        for piece in pieces(stream, plan)
            .into_iter()
            .chain([&b"\n\n\ndata\n\n:\n\n"[..]])
        {
            let mut input = piece;
            while !matches!(decoder.decode(&mut input), Ok(None)) {}
        }
        let held = decoder.memory_held();
        let most = decoder.last_event_id_bytes().len() + CONSTANT;
        assert!(held <= most, "{held} bytes held after small events");
    }
}

/// The longest stream that is looked at behind each piece.
const SHORT: usize = 128;

/// All laws on one stream, as fuzz targets and seeds ask for it.
pub fn all(stream: &[u8], plan: &[usize], line: usize, event: usize) {
    for settings in [
        Settings::default(),
        Settings {
            comments: false,
            last_event_ids: false,
            last_event_id: "seed".to_owned(),
            ..Settings::default()
        },
        Settings {
            limits: Some((line, event)),
            ..Settings::default()
        },
        Settings {
            limits: Some((line, event)),
            comments: false,
            end_at_limit: true,
            ..Settings::default()
        },
    ] {
        any_chunking_is_the_whole(stream, plan, &settings);
        decoder_is_the_oracle(stream, plan, &settings);
        // The oracle reads all anew for each piece.
        if stream.len() <= SHORT {
            let plan: Vec<_> = plan.iter().copied().zip(WAYS.into_iter().cycle()).collect();
            each_piece_tells_what_it_completes(stream, &plan, &settings);
        }
    }
    memory_stays_within_the_limits(stream, plan, line, event);
}

/// Takes the input of the fuzz target apart: plan, line limit, event limit, stream.
pub fn seed(input: &[u8]) -> Option<(Vec<usize>, usize, usize, &[u8])> {
    let (&[line, event, plan_len], rest) = input.split_first_chunk::<3>()?;
    let (plan, stream) = rest.split_at_checked(usize::from(plan_len % 32))?;
    // One byte of the plan is a chunk; its last one is repeated to the end, unless it is 0.
    let mut plan: Vec<usize> = plan.iter().map(|&len| usize::from(len)).collect();
    if let Some(&last) = plan.last().filter(|&&last| last > 0) {
        plan.extend(std::iter::repeat_n(last, stream.len() / last));
    }
    Some((plan, usize::from(line) * 2, usize::from(event) * 4, stream))
}
