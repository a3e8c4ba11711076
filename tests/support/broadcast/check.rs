//! What a poll has given, held against the model.

use std::task::Poll;

use sse_proto::deps::futures_core::stream::FusedStream;
use sse_proto::target::CloseReason;

use super::{BYE, Play, Reader, as_text};
use crate::support::broadcast_model::EPOCH;
use crate::support::broadcast_ops::{id_after, lost, sees, skips};

impl Play {
    pub(super) fn check_poll(&mut self, reader: &mut Reader, polled: Poll<Option<String>>) {
        let (head, oldest) = (self.model.head(), self.model.oldest);
        if reader.end.is_some() {
            assert_eq!(polled, Poll::Ready(None), "an ended stream stays ended");
            return;
        }
        if reader.cursor < oldest {
            self.lagged += 1;
            if skips(reader.kind) {
                let marker = as_text(&lost(oldest - reader.cursor).to_bytes());
                assert_eq!(polled, Poll::Ready(Some(marker)));
                reader.cursor = oldest;
                // Frames that are lost do not count.
                reader.last_id_at = oldest - 1;
            } else {
                assert_eq!(polled, Poll::Ready(None));
                reader.end = Some(CloseReason::Overflow);
            }
            return;
        }
        let first = reader.cursor;
        let has_ended = reader.subscription.is_terminated();
        let chunk = match polled {
            Poll::Ready(Some(chunk)) if !has_ended => chunk,
            polled => {
                // No frame for this subscriber was left.
                let nothing = (first..head).all(|number| !self.is_theirs(reader.kind, number));
                assert!(nothing, "{polled:?} with frames to read");
                reader.cursor = head;
                match polled {
                    Poll::Pending => assert!(!self.model.closed, "it has not ended"),
                    Poll::Ready(last) => {
                        assert!(self.model.closed, "it ended, or gave something of nothing");
                        assert_eq!(last, self.farewell.then(|| BYE.to_owned()));
                        reader.end = Some(CloseReason::Closed);
                    }
                }
                self.check_id_is_near(reader);
                return;
            }
        };
        self.check_chunk(reader, &chunk);
        reader.cursor = head - reader.subscription.lag();
        assert!(reader.cursor > first && reader.cursor <= head);
        let skipped = reader.last.max(first - 1) + 1..reader.cursor;
        for number in skipped {
            assert!(
                !self.is_theirs(reader.kind, number),
                "{number} was left out"
            );
        }
        let waited: usize = (first..head)
            .map(|number| self.model.frame(number).wire.len())
            .sum();
        if reader.kind == 0 && waited == chunk.len() {
            assert_eq!(reader.cursor, head);
        }
    }

    /// A chunk is whole frames for this subscriber, in order, none left out. Ids of other frames may
    /// stand in between.
    fn check_chunk(&self, reader: &mut Reader, chunk: &str) {
        let head = self.model.head();
        let mut rest = chunk;
        let mut from = reader.cursor;
        while !rest.is_empty() {
            let next = (from..head).find(|&number| self.is_theirs(reader.kind, number));
            let frame = next.map(|number| (number, self.model.frame(number)));
            if let Some((number, frame)) = frame.filter(|(_, one)| rest.starts_with(&one.wire)) {
                rest = &rest[frame.wire.len()..];
                if let Some(id) = &frame.id {
                    reader.last_id = Some(id.clone());
                    reader.last_id_at = number;
                }
                reader.last = number;
                from = number + 1;
                continue;
            }
            // The first of those with this id: it may have been sent for that frame.
            let mut between = reader.last_id_at + 1..next.unwrap_or(head);
            let found = between.find_map(|number| {
                let (id, block) = self.id_block(reader.kind, number)?;
                rest.starts_with(&block)
                    .then_some((number, id, block.len()))
            });
            let Some((number, id, len)) = found else {
                panic!("{:?} for {}", rest, reader.kind);
            };
            rest = &rest[len..];
            reader.last_id = Some(id);
            reader.last_id_at = number;
            from = from.max(number + 1);
        }
    }

    /// The id that may be sent for a frame that is not for this kind.
    fn id_block(&self, kind: u8, number: u64) -> Option<(String, String)> {
        let frame = self.model.frame(number);
        let is_visible = frame.scope.is_none_or(|scope| sees(kind, scope));
        let id = match (&frame.id, is_visible) {
            (Some(id), true) => id.clone(),
            _ if self.config.assigned => format!("{EPOCH}-{number}~"),
            _ => return None,
        };
        let block = format!("id: {id}\n\n");
        Some((id, block))
    }

    /// Fewer frames than the distance of ids were left out since the last id.
    fn check_id_is_near(&self, reader: &Reader) {
        if self.config.assigned && reader.cursor == self.model.head() {
            let passed = reader.cursor - 1 - reader.last_id_at;
            assert!(
                passed < id_after(reader.kind),
                "{passed} frames without an id for {}",
                reader.kind
            );
        }
    }

    pub(super) fn check_statistics(&self) {
        let statistics = self.broadcast.statistics();
        let readers = || {
            let readers = self.readers.iter().flatten();
            readers.filter(|reader| reader.end.is_none())
        };
        let lags = |reader: &&Reader| reader.cursor < self.model.oldest;
        let (head, oldest) = (self.model.head(), self.model.oldest);
        let behind = readers().filter(|reader| !lags(reader));
        let behind = behind.map(|reader| head - reader.cursor).max();
        assert_eq!(statistics.subscribers, readers().count());
        assert_eq!(statistics.lagging, readers().filter(lags).count());
        assert_eq!(statistics.most_behind, behind.unwrap_or(0));
        assert_eq!(statistics.lagged, self.lagged);
        assert_eq!(statistics.published, head - 1);
        assert_eq!(statistics.retained_frames as u64, head - oldest);
        assert_eq!(
            statistics.retained_bytes,
            self.model.retained_bytes() as u64
        );
        for reader in readers() {
            assert_eq!(reader.subscription.lag(), head - reader.cursor);
        }
    }
}
