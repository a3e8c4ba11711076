//! What a step has come to, and the items that are lent of it.

use core::time::Duration;

use super::Decoder;
use super::block::{read, read_data};
use super::chunk::Chunk;
use super::item::{Item, MessageEvent};
use super::limits::DecodeError;
use super::owned::OwnedMessageEvent;

/// What a step has come to. A plain number, so that it comes back in a register; the values are in `Lent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All input is taken.
    More,
    Event,
    /// An event whose values are in what was gathered, and not in the chunk.
    GatheredEvent,
    ReconnectionTime,
    Comment,
    LastEventId,
    LineTooLong,
    IdTooLong,
    EventTooLong,
}

impl Decoder {
    /// What the last step has come to.
    #[inline]
    pub(super) fn view<'s, 'i: 's>(
        &'s self,
        step: Step,
        chunk: &Chunk<'i>,
    ) -> Result<Option<Item<'s>>, DecodeError> {
        match step {
            Step::More => Ok(None),
            Step::Event => Ok(Some(Item::Event(self.view_event(chunk)))),
            other => self.view_other(other).map(Some),
        }
    }

    /// Nothing of it is in the chunk.
    #[inline(never)]
    fn view_other(&self, step: Step) -> Result<Item<'_>, DecodeError> {
        Ok(match step {
            Step::More | Step::Event | Step::GatheredEvent => Item::Event(self.view_gathered()),
            Step::ReconnectionTime => {
                Item::ReconnectionTime(Duration::from_millis(self.lent.reconnection_time))
            }
            Step::Comment => Item::Comment(self.block.comment.text()),
            Step::LastEventId => Item::LastEventId(self.block.last_event_id.text()),
            Step::LineTooLong => return Err(self.limits.line_error()),
            Step::IdTooLong => return Err(self.limits.id_error()),
            Step::EventTooLong => return Err(self.limits.event_error()),
        })
    }

    /// The event that the last step has completed.
    #[inline]
    pub(super) fn view_event<'s, 'i: 's>(&'s self, chunk: &Chunk<'i>) -> MessageEvent<'s> {
        MessageEvent {
            event_type: read(&self.block.event_type, self.lent.event_type, chunk),
            data: read_data(&self.block.data, self.lent.text, chunk),
            last_event_id: self.block.last_event_id.text(),
            own_id: self.lent.own_id(),
        }
    }

    /// The same, in one allocation.
    pub(super) fn take_event(&mut self, chunk: &mut Chunk<'_>) -> OwnedMessageEvent {
        // One check of all bytes from the first value to the last takes less time than one for each.
        chunk.check_span(self.lent.text, self.lent.event_type);
        let event_type = read(&self.block.event_type, self.lent.event_type, chunk).to_str();
        let last_event_id = self.block.last_event_id.text().to_str();
        let own_id = self.lent.own_id();
        if self.lent.text.is_buffer() {
            if let Some(data) = self.block.data.take_large() {
                self.block.size_before = data.capacity();
                return OwnedMessageEvent::from_data(data, &event_type, &last_event_id, own_id);
            }
        }
        let data = read_data(&self.block.data, self.lent.text, chunk).to_str();
        OwnedMessageEvent::new(&data, &event_type, &last_event_id, own_id)
    }
}
