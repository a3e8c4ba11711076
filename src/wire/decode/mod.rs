//! Decodes bytes into items, by the rules of WHATWG HTML [9.2.5] and [9.2.6].
//!
//! An `InputChunk` holds the bytes that the caller feeds. In it, the `LineReader` finds the next
//! line, or the next piece of a line that is split between chunks. The `Block` stores the value of
//! the field, and the [`Decoder`] returns the item that a line completes. [`DecodeStream`] and
//! `DecodeRead` are thin layers on the decoder.
//!
//! Three cases shape the code:
//!
//! - An event of 16 MiB comes in thousands of chunks, which all cut its data line. The line reader
//!   returns a piece for each chunk. The block appends the piece to its data buffer, and checks its
//!   UTF-8 at the same time. At the blank line, the decoder lends the data from that buffer, or
//!   turns the buffer into the owned event.
//! - A chunk ends with a CR. The CR ends the line, and the item is returned at once. The line
//!   reader stores that there was a CR, and skips an LF if the next chunk begins with one.
//! - A limit is exceeded in the middle of a line. The line reader counts each piece and returns an
//!   error for the piece that exceeds the limit. The decoder discards the block, and the line
//!   reader skips all lines up to the next blank line.
//!
//! [9.2.5]: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
//! [9.2.6]: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

mod block;
mod decoder;
mod input;
mod item;
mod limits;
mod line_reader;
#[cfg(feature = "std")]
mod read;
mod stream;
mod text;
#[cfg(test)]
mod work;

pub use decoder::{Decoder, Items};
pub use item::{Item, MessageEvent, OwnedItem, OwnedMessageEvent};
pub use limits::{DecodeError, DecodeLimits};
#[cfg(feature = "std")]
pub use read::DecodeRead;
pub use stream::{DecodeStream, ReceiveError};
