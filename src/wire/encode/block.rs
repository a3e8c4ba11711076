//! How a block stands on the wire.
//!
//! Every line but the first begins with the end of the one before it, so that a name and the
//! end-of-line in front of it are one write: small events are as fast as their writes are few.

use core::convert::Infallible;
use core::ops::Range;
use core::time::Duration;

use crate::wire::digits::Digits;
use crate::wire::event::Event;
use crate::wire::field::{EventId, Number};
use crate::wire::line::{self, Ends, Span, Splitter};
use crate::wire::sink::Sink;

const COMMENT: &[u8] = b"\n: ";
const EVENT: &[u8] = b"\nevent: ";
const ID: &[u8] = b"\nid: ";
const RETRY: &[u8] = b"\nretry: ";
const DATA: &[u8] = b"\ndata: ";
const BLANK: &[u8] = b"\n\n";

/// The type that an event without one arrives as.
const MESSAGE: &[u8] = b"message";

/// The fields of an event.
///
/// The public functions take an event apart where they are called, and are inlined there: an event
/// that is built for one call then never stands in memory. That is a third of the time of a small
/// one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    comment: Option<&'a [u8]>,
    event_type: Option<&'a [u8]>,
    id: Option<Result<&'a str, Number>>,
    reconnection_time: Option<Duration>,
    data: Option<&'a [u8]>,
}

/// An event's length on the wire, and its shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) len: usize,
    pub(crate) shape: Shape,
}

/// Which texts of an event are known to be one line, and need no search.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    one_line_comment: bool,
    one_line_data: bool,
}

impl<'a> Parts<'a> {
    #[inline]
    pub(crate) fn of(event: &'a Event<'_>) -> Self {
        Self {
            comment: event.comment().map(str::as_bytes),
            event_type: event.event_type().map(|text| text.as_str().as_bytes()),
            id: event.id().map(EventId::parts),
            reconnection_time: event.reconnection_time(),
            data: event.data().map(str::as_bytes),
        }
    }

    /// The same fields with another id, whose text was checked.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn with_id(&self, id: &'a str) -> Self {
        Self {
            id: Some(Ok(id)),
            ..*self
        }
    }

    /// Returns the type of the event that a client dispatches for the block, if it dispatches one.
    pub(crate) fn dispatched_type(&self) -> Option<&'a [u8]> {
        self.data.and(self.event_type.or(Some(MESSAGE)))
    }

    /// Measures exactly.
    #[inline]
    pub(crate) fn measure(&self) -> Measured {
        self.measure_with(|text| {
            let ends = line::count_ends(text);
            (ends, ends.count == 0)
        })
    }

    /// Measures the texts as if they were one line, which is never too long.
    #[inline]
    pub(crate) fn measure_roughly(&self) -> Measured {
        self.measure_with(|text| {
            let one_line = line::is_short(text) && !line::has_end(text);
            (Ends::default(), one_line)
        })
    }

    #[inline]
    fn measure_with(&self, look: impl Fn(&[u8]) -> (Ends, bool)) -> Measured {
        // A line's end is counted in the name behind it; of the two ends behind the last, one makes
        // up for the first line, which has none before it.
        let mut len = 1;
        if let Some(event_type) = self.event_type {
            len += EVENT.len() + event_type.len();
        }
        if let Some(id) = self.id {
            len += ID.len() + id_len(id);
        }
        if let Some(time) = self.reconnection_time {
            len += RETRY.len() + Digits::count(whole_millis(time));
        }
        let mut lines = |name: &[u8], text: &[u8]| {
            let (ends, one_line) = look(text);
            // Saturates where no memory holds what it measures, on 32 bits.
            let names = (ends.count + 1).saturating_mul(name.len());
            len = names.saturating_add(len + text.len() - ends.bytes);
            one_line
        };
        let shape = Shape {
            one_line_comment: self.comment.is_some_and(|text| lines(COMMENT, text)),
            one_line_data: self.data.is_some_and(|text| lines(DATA, text)),
        };
        Measured { len, shape }
    }
}

/// Writes a block.
#[inline]
pub(crate) fn write_block(parts: &Parts<'_>, shape: Shape, out: &mut impl Sink) {
    let mut first = write_head(parts, shape, out);
    if let Some(data) = parts.data {
        open(DATA, &mut first, out);
        write_text(data, shape.one_line_data, out, |out| out.put(DATA));
    }
    // A block with nothing in it is the blank line alone.
    out.put(if first { &BLANK[1..] } else { BLANK });
}

/// Writes a block up to where the text of its data begins.
pub(crate) fn open_data(parts: &Parts<'_>, out: &mut impl Sink) {
    let mut first = write_head(parts, Shape::default(), out);
    open(DATA, &mut first, out);
}

/// What ends a line of data and begins the next.
pub(crate) fn next_line() -> &'static [u8] {
    DATA
}

/// What ends data and its block.
pub(crate) fn end_block() -> &'static [u8] {
    BLANK
}

/// Returns the type of the event that a client dispatches for a block, read from the bytes that were
/// written for it; `None` if it dispatches none.
pub(crate) fn dispatched_type(block: &[u8]) -> Option<&[u8]> {
    let mut event_type = MESSAGE;
    let mut rest = block;
    // Data is the last field, and may be long: it is not looked through.
    while !rest.starts_with(&DATA[1..]) {
        let (line, behind) = rest.split_at(rest.iter().position(|&byte| byte == line::LF)?);
        if let Some(value) = line.strip_prefix(&EVENT[1..]) {
            event_type = value;
        }
        rest = &behind[1..];
    }
    Some(event_type)
}

/// Where the values of a block's head stand in its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) event_type: Option<Range<usize>>,
    pub(crate) id: Option<Range<usize>>,
}

impl Places {
    pub(crate) fn of(head: &Parts<'_>) -> Self {
        let comment = head.comment.map_or(0, |text| {
            let Ends { count, bytes } = line::count_ends(text);
            text.len() - bytes + (count + 1) * COMMENT.len()
        });
        // From a place that is one in front of the first line, where its end-of-line would be.
        let mut end = comment;
        let mut place = |name: &[u8], len: usize| {
            let start = end + name.len();
            end = start + len;
            start - 1..end - 1
        };
        Self {
            event_type: head.event_type.map(|text| place(EVENT, text.len())),
            id: head.id.map(|id| place(ID, id_len(id))),
        }
    }
}

/// Writes all lines before the data; returns whether there are none.
#[inline]
fn write_head(parts: &Parts<'_>, shape: Shape, out: &mut impl Sink) -> bool {
    let mut first = true;
    if let Some(text) = parts.comment {
        open(COMMENT, &mut first, out);
        write_text(text, shape.one_line_comment, out, |out| out.put(COMMENT));
    }
    if let Some(event_type) = parts.event_type {
        open(EVENT, &mut first, out);
        out.put(event_type);
    }
    if let Some(id) = parts.id {
        open(ID, &mut first, out);
        match id {
            Ok(text) => out.put(text.as_bytes()),
            Err(number) => out.put(number.digits().as_bytes()),
        }
    }
    if let Some(time) = parts.reconnection_time {
        open(RETRY, &mut first, out);
        out.put(Digits::of_u64(whole_millis(time)).as_bytes());
    }
    first
}

/// Begins a line.
#[inline]
fn open(name: &[u8], first: &mut bool, out: &mut impl Sink) {
    out.put(if *first { &name[1..] } else { name });
    *first = false;
}

/// Writes a text whose first line is open; `next` begins another line.
#[inline]
fn write_text<S: Sink>(text: &[u8], one_line: bool, out: &mut S, next: impl Fn(&mut S)) {
    if one_line {
        out.put(text);
    } else {
        write_lines(text, out, next);
    }
}

#[inline(never)]
fn write_lines<S: Sink>(text: &[u8], out: &mut S, next: impl Fn(&mut S)) {
    let Ok(()) = Splitter::default().split(text, |span| {
        match span {
            Span::Text { from, len } => out.put_front(from, len),
            Span::End => next(out),
        }
        Ok::<(), Infallible>(())
    });
}

#[inline]
fn id_len(id: Result<&str, Number>) -> usize {
    match id {
        Ok(text) => text.len(),
        Err(number) => number.len(),
    }
}

/// Rounds up, so that a client never comes back sooner than it was asked to, and saturates.
fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
