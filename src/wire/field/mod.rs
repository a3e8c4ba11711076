//! The fields that can't hold every text: checked once at construction, so that encoding can't
//! fail and nothing is stripped in silence.

mod event_id;
mod event_type;

pub use event_id::EventId;
pub(crate) use event_id::Number;
pub use event_type::EventType;

use super::line;
use crate::error::{Field, InvalidField};

/// Refuses the first of `text`'s characters that `field` can't hold.
#[inline]
fn check(field: Field, text: &str) -> Result<(), InvalidField> {
    let bad = match field {
        Field::EventType => text.is_empty() || line::has_end(text.as_bytes()),
        Field::Id => line::has_end_or_nul(text.as_bytes()),
    };
    if bad { find(field, text) } else { Ok(()) }
}

/// Does the same byte by byte: a `const fn`, so that a literal is checked when it is compiled.
#[cold]
const fn find(field: Field, text: &str) -> Result<(), InvalidField> {
    let bytes = text.as_bytes();
    if bytes.is_empty() && matches!(field, Field::EventType) {
        return Err(InvalidField {
            field,
            character: None,
            offset: 0,
        });
    }
    let mut offset = 0;
    while offset < bytes.len() {
        // All refused characters are ASCII, so a byte that equals one is that character.
        let byte = bytes[offset];
        if byte == b'\r' || byte == b'\n' || (byte == 0 && matches!(field, Field::Id)) {
            return Err(InvalidField {
                field,
                character: Some(byte as char),
                offset,
            });
        }
        offset += 1;
    }
    Ok(())
}

/// Ends the compilation (or, outside a constant, panics) at a literal that can't be held.
const fn check_literal(field: Field, text: &'static str) {
    if let Err(error) = find(field, text) {
        match (error.field, error.character) {
            (Field::EventType, None) => panic!("an event type can't be empty"),
            (Field::EventType, Some(_)) => panic!("an event type can't hold CR or LF"),
            (Field::Id, _) => panic!("an id can't hold CR, LF or NUL"),
        }
    }
}
