//! The laws that the decoder keeps, as functions: property tests, fuzz targets and the replay of the seeds call them.

use sse_proto::decode::{DecodeError, DecodeLimits, Items, OwnedItem, OwnedMessageEvent};
use sse_proto::{Decoder, EventId, Item};

use super::law::law;
use super::oracle::{self, Said, Settings};

/// What buffers may keep however small the limits are, as the documentation of `DecodeLimits` says.
const CONSTANT: usize = 128 << 10;

/// How a caller takes the items of the bytes that it feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// All of them, borrowed.
    Lent,
    /// All of them, owned.
    Owned,
    /// One borrowed, one owned, and so on.
    Mixed,
    /// One at a time: it feeds again what remains.
    FedAgain,
}

pub const WAYS: [Way; 4] = [Way::Lent, Way::Owned, Way::Mixed, Way::FedAgain];

fn decoder(settings: &Settings) -> Decoder {
    let limits = match settings.limits {
        Some((line, event)) => DecodeLimits::new()
            .with_max_line_bytes(line)
            .with_max_id_bytes(oracle::id_limit(line))
            .with_max_event_bytes(event),
        None => DecodeLimits::unlimited(),
    };
    let last_event_id = EventId::new(&settings.last_event_id).expect("without CR, LF and NUL");
    Decoder::new()
        .with_limits(limits.with_end_at_limit(settings.end_at_limit))
        .with_comments(settings.comments)
        .with_last_event_ids(settings.last_event_ids)
        .with_last_event_id(&last_event_id)
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

pub fn say(item: Item<'_>) -> Said {
    match item {
        Item::Event(event) => {
            assert_eq!(event.data(), String::from_utf8_lossy(event.data_bytes()));
            Said::Event {
                event_type: event.event_type().into_owned(),
                data: event.data().into_owned(),
                last_event_id: event.last_event_id().to_owned(),
                own_id: event.has_own_id(),
            }
        }
        Item::ReconnectionTime(time) => Said::ReconnectionTime(time),
        Item::Comment(text) => Said::Comment(text.into_owned()),
        Item::LastEventId(text) => Said::LastEventId(text.into_owned()),
        _ => unreachable!("the decoder has no other items"),
    }
}

pub fn say_owned(item: OwnedItem) -> Said {
    match item {
        OwnedItem::Event(event) => say_event(event),
        OwnedItem::ReconnectionTime(time) => Said::ReconnectionTime(time),
        OwnedItem::Comment(text) => Said::Comment(text),
        OwnedItem::LastEventId(text) => Said::LastEventId(text),
        _ => unreachable!("the decoder has no other items"),
    }
}

fn say_event(event: OwnedMessageEvent) -> Said {
    Said::Event {
        event_type: event.event_type().to_owned(),
        last_event_id: event.last_event_id().to_owned(),
        own_id: event.has_own_id(),
        data: event.into_data(),
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

/// All that a decoder makes of a stream in pieces, the last event ID string it leaves, and the block that the end cuts off.
pub type Run = (Vec<Said>, String, Option<Said>);

pub fn run(stream: &[u8], plan: &[usize], way: Way, settings: &Settings) -> Run {
    let mut decoder = decoder(settings);
    let mut said = Vec::new();
    for piece in pieces(stream, plan) {
        take(&mut decoder, piece, way, &mut said);
    }
    let unfinished = decoder.finish().map(say_event);
    assert!(decoder.finish().is_none(), "a stream ends once");
    (said, decoder.last_event_id().to_owned(), unfinished)
}

/// Has a decoder decode all of a piece.
fn take(decoder: &mut Decoder, piece: &[u8], way: Way, said: &mut Vec<Said>) {
    let mut rest = piece;
    loop {
        let mut items = decoder.feed(rest);
        loop {
            let before = items.remaining();
            let is_lent = match way {
                Way::Lent | Way::FedAgain => true,
                Way::Owned => false,
                Way::Mixed => said.len() % 2 == 0,
            };
            let one = next(&mut items, is_lent);
            let after = items.remaining();
            assert!(
                before.ends_with(after),
                "an item takes bytes from the front"
            );
            let Some(one) = one else {
                assert!(after.is_empty(), "`None` means that all is decoded");
                return;
            };
            let is_error = matches!(
                one,
                Said::LineTooLong | Said::IdTooLong | Said::EventTooLong
            );
            assert!(
                is_error || after.len() < before.len(),
                "an item takes bytes"
            );
            said.push(one);
            if way == Way::FedAgain {
                rest = after;
                break;
            }
        }
    }
}

fn next(items: &mut Items<'_, '_>, is_lent: bool) -> Option<Said> {
    let one = if is_lent {
        items.next().map(|item| item.map(say))
    } else {
        items.next_owned().map(|item| item.map(say_owned))
    };
    one.unwrap_or_else(|error| Some(say_error(error)))
}

/// Law 2: any chunking of a byte stream decodes to what the whole decodes to.
pub fn any_chunking_is_the_whole(stream: &[u8], plan: &[usize], settings: &Settings) {
    let _law = law(
        "2: any chunking decodes to what the whole decodes to",
        stream,
    );
    let whole = run(stream, &[], Way::Lent, settings);
    for way in WAYS {
        let chunked = run(stream, plan, way, settings);
        assert_eq!(chunked, whole, "{way:?}, in chunks {plan:?}");
    }
}

/// Law 3: the decoder equals the oracle.
pub fn decoder_is_the_oracle(stream: &[u8], plan: &[usize], settings: &Settings) {
    let _law = law("3: the decoder equals the oracle", stream);
    let (said, id) = oracle::decode(stream, settings);
    let expected = (said, id, oracle::unfinished(stream, settings));
    for way in WAYS {
        let decoded = run(stream, plan, way, settings);
        assert_eq!(decoded, expected, "{way:?}, in chunks {plan:?}");
    }
}

/// Laws 2 and 3 as time goes: whichever way takes each piece, after it all is told that the oracle makes of what has come
/// so far, and the last event ID is the one there.
pub fn each_piece_tells_what_it_completes(
    stream: &[u8],
    plan: &[(usize, Way)],
    settings: &Settings,
) {
    let _law = law("2 and 3: each piece tells what it completes", stream);
    let mut decoder = decoder(settings);
    let (mut said, mut came) = (Vec::new(), 0);
    let lens: Vec<usize> = plan.iter().map(|&(len, _)| len).collect();
    let ways = plan.iter().map(|&(_, way)| way).chain([Way::Lent]);
    for (piece, way) in pieces(stream, &lens).into_iter().zip(ways) {
        take(&mut decoder, piece, way, &mut said);
        came += piece.len();
        let expected = oracle::decode(&stream[..came], settings);
        assert_eq!(
            (&said, decoder.last_event_id()),
            (&expected.0, &*expected.1),
            "after {came} bytes, {plan:?}"
        );
    }
}

/// The decoder's reader of lines splits a text where the naive splitter does, in one piece and in two.
pub fn reads_the_same_lines(text: &str, cut: usize) {
    let _law = law("the decoder reads the lines of the naive splitter", text);
    let lines = oracle::lines(text);
    let (mut comments, mut data, mut rest) = (Vec::new(), Vec::new(), text);
    for (number, line) in lines.iter().enumerate() {
        let after = &rest[line.len()..];
        let end = if after.starts_with("\r\n") { 2 } else { 1 };
        // What follows the last end-of-line is a line of the text, and not yet one of the stream.
        let end = if number + 1 == lines.len() {
            "\n"
        } else {
            &after[..end]
        };
        comments.extend_from_slice(format!(": {line}{end}").as_bytes());
        data.extend_from_slice(format!("data: {line}{end}").as_bytes());
        rest = after.strip_prefix(end).unwrap_or_default();
    }
    data.push(b'\n');
    let said: Vec<Said> = lines.iter().cloned().map(Said::Comment).collect();
    let event = Said::Event {
        event_type: "message".to_owned(),
        data: lines.join("\n"),
        last_event_id: String::new(),
        own_id: false,
    };
    for (stream, said) in [(comments, said), (data, vec![event])] {
        for plan in [
            vec![],
            vec![cut],
            vec![cut.max(1); stream.len() / cut.max(1)],
        ] {
            let read = run(&stream, &plan, Way::Lent, &Settings::default()).0;
            assert_eq!(read, said, "in chunks {plan:?}");
        }
    }
}

/// Law 7, the receiving side: memory held never passes the event limit, the last event ID, the line limit where comments
/// are returned, and a constant; small events later it is the last event ID and the constant. An owned event holds no
/// more than about its length.
///
/// `measure` returns how many bytes more are allocated after the function than before.
pub fn memory_stays_within_the_limits(
    stream: &[u8],
    plan: &[usize],
    line: usize,
    event: usize,
    measure: &dyn Fn(&mut dyn FnMut()) -> i64,
) {
    let _law = law("7: memory stays within the limits of the decoder", stream);
    let len = |len: usize| i64::try_from(len).expect("no test is that large");
    for (way, comments) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let settings = Settings {
            limits: Some((line, event)),
            comments,
            ..Settings::default()
        };
        let context = || format!("{way:?}, comments: {comments}, in chunks {plan:?}");
        let mut decoder = None;
        let mut held = measure(&mut || decoder = Some(self::decoder(&settings)));
        let decoder = decoder.as_mut().expect("just made");
        for piece in pieces(stream, plan) {
            let mut rest = piece;
            loop {
                let (mut item, mut is_all) = (None, false);
                held += measure(&mut || {
                    let mut items = decoder.feed(rest);
                    if way == Way::Owned {
                        let next = items.next_owned();
                        is_all = matches!(next, Ok(None));
                        item = next.ok().flatten();
                    } else {
                        is_all = matches!(items.next(), Ok(None));
                    }
                    rest = items.remaining();
                });
                let text = item.as_ref().map_or(0, owned_len);
                let owned = -measure(&mut || drop(item.take()));
                held -= owned;
                assert!(
                    owned <= len(2 * text + 16),
                    "an item of {text} bytes holds {owned}, {}",
                    context()
                );
                let id = decoder.last_event_id().len();
                let most = len(event + if comments { line } else { 0 } + id + CONSTANT);
                assert!(
                    held <= most,
                    "{held} bytes held, {most} allowed, {}",
                    context()
                );
                if is_all {
                    break;
                }
            }
        }
        held += measure(&mut || {
            let mut items = decoder.feed(b"\n\n\ndata\n\n:\n\n");
            while !matches!(items.next(), Ok(None)) {}
        });
        let most = len(decoder.last_event_id().len() + CONSTANT);
        assert!(
            held <= most,
            "{held} bytes held after small events, {}",
            context()
        );
    }
}

fn owned_len(item: &OwnedItem) -> usize {
    match item {
        OwnedItem::Event(event) => {
            event.data().len() + event.event_type().len() + event.last_event_id().len()
        }
        OwnedItem::Comment(text) | OwnedItem::LastEventId(text) => text.len(),
        _ => 0,
    }
}

/// The longest stream that is looked at after each piece.
const SHORT: usize = 128;

/// Laws 2 and 3 on one stream, as fuzz targets and seeds ask for them.
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
