//! The naive reader that the outputs are checked with: the standard's section 9.2.6 with `String`s.

use std::mem;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) event_type: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

pub(crate) fn read(wire: &[u8]) -> Vec<Arrived> {
    let text = String::from_utf8_lossy(wire)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    // What follows the last line end is an unfinished line.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let (mut arrived, mut event, mut id) = (Vec::new(), Arrived::default(), String::new());
    for line in complete.split('\n') {
        if line.is_empty() {
            dispatch(mem::take(&mut event), &id, &mut arrived);
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.event_type),
            "data" => event.data.extend([value, "\n"]),
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            _ => {}
        }
    }
    arrived
}

fn dispatch(mut event: Arrived, id: &str, arrived: &mut Vec<Arrived>) {
    if event.data.pop().is_none() {
        return;
    }
    if event.event_type.is_empty() {
        event.event_type.push_str("message");
    }
    id.clone_into(&mut event.id);
    arrived.push(event);
}
