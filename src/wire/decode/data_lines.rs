//! The reader of data lines that are put together: those of a block with several, and one that the input cuts.
//!
//! One loop for both, which stays in it from line to line and takes the rest of a cut line, the lines behind it and the
//! start of the next cut one in one go. Against the readers of all kinds of lines, short data lines took a fifth less time
//! in chunks of 16 and of 1460 bytes.

use super::Decoder;
use super::chunk::Chunk;
use super::cut_line::Line;
use super::field::Field;
use super::place::Place;
use super::step::Step;

impl Decoder {
    /// Takes the value of a data line from the front of `chunk` on, and data lines behind it. `line_taken` bytes of the
    /// line are read. All values of the block are in the buffers.
    ///
    /// `None`: a line is over, and the next one is not a data line, or its name is not whole in the chunk.
    #[inline]
    pub(super) fn take_data_lines(
        &mut self,
        chunk: &mut Chunk<'_>,
        mut line_taken: usize,
    ) -> Option<Step> {
        let bytes = chunk.bytes;
        let mut start = chunk.at;
        loop {
            let value = Place {
                start,
                end: chunk.find_value_end_or_block(start, line_taken),
            };
            line_taken = line_taken.saturating_add(value.len());
            if line_taken > self.room(Field::Data) {
                chunk.at = value.end;
                return Some(self.refuse(Field::Data));
            }
            match bytes.get(value.end) {
                Some(b'\n') => {
                    // The LF that the standard asks for is there already.
                    start = value.end + 1;
                    self.block.push_data(
                        chunk,
                        Place {
                            end: start,
                            ..value
                        },
                    );
                }
                Some(b'\r') => {
                    self.block.push_data(chunk, value);
                    self.block.end_data_line();
                    start = self.end_line(bytes, value.end);
                }
                // A long line goes on.
                Some(_) => {
                    start = value.end;
                    self.block.push_data(chunk, value);
                    continue;
                }
                None => {
                    chunk.at = value.end;
                    self.block.push_data(chunk, value);
                    return Some(self.leave_line(Line::Data, Field::Data, line_taken));
                }
            }
            self.left -= line_taken;
            let Some([b'd', b'a', b't', b'a', b':', value @ ..]) = bytes.get(start..) else {
                chunk.at = start;
                self.line = Line::Start;
                return None;
            };
            line_taken = NAME + usize::from(value.first() == Some(&b' '));
            start += line_taken;
            if value.is_empty() {
                chunk.at = start;
                if line_taken > self.room(Field::Data) {
                    return Some(self.refuse(Field::Data));
                }
                return Some(self.leave_line(Line::Colon, Field::Data, line_taken));
            }
        }
    }
}

/// The length of `data:`.
const NAME: usize = 5;
