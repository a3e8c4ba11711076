//! What a client that connects anew asks of its decoder.

use super::Decoder;
use super::cut_line::Line;
use super::field::Field;

impl Decoder {
    /// Whether the stream's end, if it came now, would cut a block off: a field of it has come, or a part of one.
    pub(crate) fn is_within_block(&self) -> bool {
        let within_line = match self.line {
            Line::Name => self.name.begins_field(),
            Line::Colon | Line::Data | Line::Value => self.field != Field::Comment,
            // Nothing of these would ever be told; what is past a limit was told.
            Line::StreamStart
            | Line::StreamStart1
            | Line::StreamStart2
            | Line::Start
            | Line::Ignored
            | Line::SkippedStart
            | Line::Skipped
            | Line::Ended => false,
        };
        let block = &self.block;
        let within_block = block.has_data || block.has_event_type || block.has_id;
        within_line || within_block || self.has_gathered_block()
    }

    /// Does what [`reconnect`](Self::reconnect) does and gives all memory back but the last event ID's.
    pub(crate) fn release(&mut self) {
        self.reconnect();
        self.block.release();
        self.gathered = None;
    }
}
