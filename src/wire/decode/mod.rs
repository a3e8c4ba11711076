//! Decodes bytes into items, by the rules of WHATWG HTML [9.2.5] and [9.2.6].
//!
//! An `InputChunk` holds the bytes that the caller feeds. In it, the `LineReader` finds the next
//! line, or the next piece of a line that is split between chunks. The `Block` stores the value of
//! the field, and the [`Decoder`] returns the item that a line completes. [`DecodeStream`] and
//! `DecodeRead` are thin layers on the decoder.
//!
//! Four cases shape the code:
//!
//! - An event of 16 MiB comes in thousands of chunks. Its data line is cut in each of them: the
//!   line reader returns a piece for each chunk, and the block appends each piece to its data
//!   buffer and checks its UTF-8 on the way. At the blank line the data is lent from that buffer,
//!   or the buffer itself becomes the owned event.
//! - A chunk ends with a CR. The line is over, and its item is returned at once. The line reader
//!   remembers the CR, and skips an LF if the next chunk begins with one.
//! - A limit is passed in the middle of a line. The line reader counts each piece as it comes and
//!   returns an error for the piece that passes the limit. The block is discarded, and the reader
//!   skips the bytes up to the next blank line.
//! - The stream ends within a block. All its values are in the block's buffers by then, and
//!   [`Decoder::finish`] takes them out.
//!
//! [9.2.5]: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
//! [9.2.6]: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

mod block;
pub(crate) mod collect;
mod decoder;
pub(crate) mod events;
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

pub use collect::events;
pub use decoder::{Decoder, Items};
pub use events::Events;
pub use item::{Item, MessageEvent, OwnedItem, OwnedMessageEvent};
pub use limits::{DecodeError, DecodeLimits};
#[cfg(feature = "std")]
pub use read::DecodeRead;
pub use stream::{DecodeStream, ReceiveError};
