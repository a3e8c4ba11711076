//! Tiny chunks are gathered and read together.
//!
//! To take a line up in its middle costs a few hundred instructions, whatever little comes of it. So bytes of chunks below
//! 64 are put together, up to a few hundred, and read as one chunk when an item may be complete, or when there is no
//! more room. In chunks of 16 bytes that takes half to four fifths of the time. A block that lies whole in a chunk is read
//! there and not gathered.
//!
//! Nobody can tell: what is gathered completes no item, changes no last event ID and passes no limit. That is known
//! without reading it. Items end with blank lines, `retry` lines and comments, and no line has more bytes than all that
//! is gathered. (`retry` lines and comments that are handed out are for the readers of lines, with all of their chunk.)
//!
//! Each chunk is first [offered](Decoder::offer): one in which no item can end joins what is gathered, and that was all.
//! Of any other, [`gather`](Decoder::gather) has the blocks read that it ends, each with what was gathered of it, and
//! gathers what is behind them. Whoever else reads a line [settles](Decoder::settle) first.

use alloc::boxed::Box;
use core::mem;

use super::Decoder;
use super::chunk::Chunk;
use super::cut_line::Line;
use super::gathered::Gathered;
use super::item::MessageEvent;
use super::marks::Marks;
use super::owned::OwnedMessageEvent;
use super::step::Step;
use crate::wire::line::{CR, LF};

impl Decoder {
    /// Gathers all of a short piece that neither begins nor ends what is gathered, or leaves it to
    /// [`step`](Self::step) as a chunk.
    #[inline]
    pub(super) fn offer<'i>(&mut self, bytes: &'i [u8]) -> Option<Chunk<'i>> {
        let mut chunk = Chunk::unchecked(bytes);
        if chunk.is_short() {
            let marks = self.gather_all(bytes);
            if marks.is_gathered() {
                return None;
            }
            chunk.mark(marks);
        }
        Some(chunk)
    }

    /// Does what [`offer`](Self::offer) does with a chunk; whether all of it is gathered.
    #[inline]
    pub(super) fn offer_chunk(&mut self, chunk: &mut Chunk<'_>) -> bool {
        if !chunk.is_short() || chunk.at > 0 {
            return false;
        }
        let marks = self.gather_all(chunk.bytes);
        if marks.is_gathered() {
            chunk.at = chunk.bytes.len();
            return true;
        }
        chunk.mark(marks);
        false
    }

    #[inline(never)]
    fn gather_all(&mut self, bytes: &[u8]) -> Marks {
        if bytes.is_empty() && !self.has_large_buffers {
            return Marks::GATHERED;
        }
        if let Some(gathered) = &mut self.gathered {
            if let (Some(before), true) = (gathered.last(), bytes.len() < gathered.room()) {
                let marks = Marks::of(bytes, before, self.comments);
                if !marks.is_quiet() {
                    return marks;
                }
                gathered.push(bytes, marks.line_ends);
                return Marks::GATHERED;
            }
        }
        Marks::of(bytes, self.byte_before(), self.comments)
    }

    /// Takes from the front of a chunk of fewer than 64 bytes what may be gathered, up to and with the first event that it
    /// completes; `None` leaves the rest to the readers of lines.
    #[inline(never)]
    pub(super) fn gather(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        if self.has_large_buffers {
            self.give_back_item();
        }
        // (Comments may be asked for when some of the chunk is read.)
        if chunk.marks().has_other_items() || (self.comments && chunk.at > 0) {
            return None;
        }
        while !chunk.is_empty() {
            let step = if self.is_gathering() {
                self.gather_on(chunk)
            } else {
                self.begin_to_gather(chunk)?
            };
            if step != Step::More {
                return Some(step);
            }
        }
        Some(Step::More)
    }

    /// Takes a block, a line, or the start of one. `None` leaves it to the readers of lines.
    fn begin_to_gather(&mut self, chunk: &mut Chunk<'_>) -> Option<Step> {
        let blank_lines = chunk.marks().blank_lines(chunk.at);
        let mut line_taken = 0;
        match self.line {
            Line::Ignored => {
                self.pass_over_line(chunk);
                return Some(Step::More);
            }
            // No comment that is handed out: that is another item.
            Line::Start if chunk.bytes[chunk.at] == b':' => {
                self.pass_over_line(chunk);
                return Some(Step::More);
            }
            Line::Start if blank_lines & 1 != 0 && !self.block.is_open() => {
                self.late_line_feed = false;
                self.left = self.limits.event();
                chunk.at = self.end_line(chunk.bytes, chunk.at);
                return Some(Step::More);
            }
            Line::Start => {}
            Line::Data => line_taken = self.line_taken,
            _ => return None,
        }
        if blank_lines != 0 {
            let end = chunk.end_of_block();
            return Some(chunk.read_up_to(end, |block| self.read(block)));
        }
        let left = self.limits.line().min(self.left);
        let room = left.saturating_sub(line_taken).min(self.limits.id());
        let piece = chunk.remaining();
        let gathered = self
            .gathered
            .get_or_insert_with(|| Box::new(Gathered::new()));
        gathered.begin(room);
        if piece.len() > gathered.room() {
            gathered.clear();
            return None;
        }
        gathered.push(piece, chunk.marks().line_ends >> chunk.at);
        chunk.at = chunk.bytes.len();
        self.resumes = true;
        Some(Step::More)
    }

    /// Takes what goes on with what is gathered, up to and with the end of the block.
    fn gather_on(&mut self, chunk: &mut Chunk<'_>) -> Step {
        let has_blank_line = chunk.marks().blank_lines(chunk.at) != 0;
        let end = if has_blank_line {
            chunk.end_of_block()
        } else {
            chunk.bytes.len()
        };
        let piece = &chunk.bytes[chunk.at..end];
        if let Some(gathered) = &mut self.gathered {
            if piece.len() <= gathered.room() {
                let ends = chunk.marks().line_ends >> chunk.at & !(u64::MAX << piece.len());
                gathered.push(piece, ends);
                chunk.at = end;
                if !has_blank_line {
                    return Step::More;
                }
            }
        }
        self.read_gathered()
    }

    /// Passes over a line that means nothing, or what is in the chunk of it.
    fn pass_over_line(&mut self, chunk: &mut Chunk<'_>) {
        self.late_line_feed = false;
        let line_ends = chunk.marks().line_ends >> chunk.at;
        if line_ends == 0 {
            self.line = Line::Ignored;
            self.resumes = true;
            chunk.at = chunk.bytes.len();
        } else {
            self.line = Line::Start;
            let end = chunk.at + line_ends.trailing_zeros() as usize;
            chunk.at = self.end_line(chunk.bytes, end);
        }
    }

    /// Reads what was gathered. Comes to an item only if a blank line is the last of it.
    fn read_gathered(&mut self) -> Step {
        let Some(mut gathered) = self.gathered.take() else {
            return Step::More;
        };
        self.resumes = self.late_line_feed || !matches!(self.line, Line::Start);
        // None is gathered that is handed out. Some may be asked for behind these.
        let comments = mem::take(&mut self.comments);
        let mut step = self.read(&mut gathered.chunk());
        self.comments = comments;
        if step == Step::Event {
            step = Step::GatheredEvent;
            gathered.lend();
        } else {
            gathered.clear();
        }
        self.gathered = Some(gathered);
        step
    }

    /// Reads what was gathered and is not read yet.
    pub(super) fn settle(&mut self) {
        if self.is_gathering() {
            self.read_gathered();
        }
    }

    #[inline]
    fn is_gathering(&self) -> bool {
        self.gathered
            .as_ref()
            .is_some_and(|gathered| gathered.is_pending())
    }

    /// Whether an end of the stream would cut off a block of which something is gathered.
    pub(super) fn has_gathered_block(&self) -> bool {
        let Some(gathered) = self.gathered.as_ref().filter(|_| self.is_gathering()) else {
            return false;
        };
        let mut rest = Self::new();
        rest.line = Line::Start;
        rest.read(&mut gathered.chunk());
        rest.is_within_block()
    }

    /// An event that was gathered, in one allocation.
    pub(super) fn take_gathered_event(&mut self) -> OwnedMessageEvent {
        let gathered = self.gathered.take();
        let mut chunk = gathered
            .as_ref()
            .map_or(Chunk::unchecked(&[]), |gathered| gathered.chunk());
        let event = self.take_event(&mut chunk);
        self.gathered = gathered;
        event
    }

    /// An event that was gathered.
    pub(super) fn view_gathered(&self) -> MessageEvent<'_> {
        let chunk = self
            .gathered
            .as_ref()
            .map_or(Chunk::unchecked(&[]), |gathered| gathered.chunk());
        self.view_event(&chunk)
    }

    /// The last byte that was taken, as far as the start of a line hangs on it.
    fn byte_before(&self) -> u8 {
        let last = self.gathered.as_ref().and_then(|gathered| gathered.last());
        last.unwrap_or(match self.line {
            _ if self.late_line_feed => CR,
            Line::Start => LF,
            _ => 0,
        })
    }
}
