//! What a poll has given, and what can be asked, held against the model.

use std::pin::Pin;
use std::task::{Context, Poll};

use sse_proto::deps::futures_core::stream::{FusedStream, Stream};
use sse_proto::target::CloseReason;

use super::{BYE, Body, Play, Reader, as_text, now, number_in, takes};
use crate::support::broadcast_ops::{lost, skips};

impl Play {
    pub(super) fn poll(&mut self, at: u8) {
        let Some(mut reader) = self.readers.get_mut(usize::from(at)).and_then(Option::take) else {
            return;
        };
        if let Body::Live(subscription) = &mut reader.body {
            reader.wakes.take();
            let waker = reader.wakes.waker();
            let polled = Pin::new(subscription).poll_next(&mut Context::from_waker(&waker));
            assert_eq!(reader.wakes.take(), 0, "a poll wakes nobody");
            reader.pending = polled.is_pending();
            reader.woken = false;
            let polled = polled.map(|chunk| chunk.map(|chunk| as_text(&chunk)));
            self.check_poll(&mut reader, polled);
            if let Body::Live(subscription) = &reader.body {
                assert_eq!(subscription.close_reason(), reader.end);
                assert_eq!(subscription.is_terminated(), reader.end.is_some());
            }
        }
        self.readers[usize::from(at)] = Some(reader);
    }

    fn check_poll(&mut self, reader: &mut Reader, polled: Poll<Option<String>>) {
        if reader.end.is_some() {
            assert_eq!(polled, Poll::Ready(None), "an ended stream stays ended");
            return;
        }
        if let Some(reason) = reader.detached {
            assert_eq!(polled, Poll::Ready(reader.farewell.then(|| BYE.to_owned())));
            reader.end = Some(reason);
            return;
        }
        if let Some(tells) = reader.tells.take() {
            if let Some(id) = tells.lines().find_map(|line| line.strip_prefix("id: ")) {
                reader.last_id = Some(id.to_owned());
            }
            assert_eq!(polled, Poll::Ready(Some(tells)));
            return;
        }
        if reader
            .owed
            .front()
            .is_some_and(|first| *first < self.model.oldest)
        {
            self.lagged += 1;
            if skips(reader.kind) {
                let marker = as_text(lost().as_bytes());
                assert_eq!(polled, Poll::Ready(Some(marker)));
                let oldest = self.model.oldest;
                reader.owed.retain(|one| *one >= oldest);
                reader.place = oldest;
            } else {
                assert_eq!(polled, Poll::Ready(None));
                reader.end = Some(CloseReason::Overflow);
                if !reader.has_pages {
                    reader.owed.clear();
                }
            }
            return;
        }
        let model = &self.model;
        let is_wanted = |number: &u64| takes(reader.kind, model.frame(*number).event_type);
        let Body::Live(subscription) = &reader.body else {
            return;
        };
        let wanted = reader
            .owed
            .iter()
            .filter(|number| is_wanted(number))
            .count();
        if wanted == 0 {
            if let Some(last) = reader.owed.back() {
                reader.place = last + 1;
            }
            reader.owed.clear();
            match polled {
                Poll::Pending => assert!(!model.closed, "it has not ended"),
                Poll::Ready(last) => {
                    assert!(model.closed, "it ended, or gave something of nothing");
                    assert_eq!(last, self.farewell.then(|| BYE.to_owned()));
                    reader.end = Some(CloseReason::Closed);
                }
            }
            return;
        }
        let Poll::Ready(Some(chunk)) = polled else {
            panic!("{polled:?} with frames to read");
        };
        // It is the first of the frames that are owed, and none in between is left out.
        let left = usize::try_from(subscription.lag()).unwrap();
        let read: Vec<u64> = reader.owed.drain(..reader.owed.len() - left).collect();
        let given: Vec<u64> = read
            .iter()
            .copied()
            .filter(|number| is_wanted(number))
            .collect();
        let wire: String = given
            .iter()
            .map(|number| &*model.frame(*number).wire)
            .collect();
        assert_eq!(chunk, wire, "{given:?}");
        assert!(
            given.len() == 1 || chunk.len() <= 64 * 1024,
            "{} bytes",
            chunk.len()
        );
        reader.place = read.last().expect("some were read") + 1;
        for number in given {
            assert!(
                reader.seen.insert(number) || self.rewound,
                "{number} comes twice"
            );
            if let Some(id) = &model.frame(number).id {
                reader.last_id = Some(id.clone());
            }
        }
    }

    pub(super) fn check(&mut self) {
        let statistics = self.broadcast.statistics();
        let (head, oldest) = (self.model.head(), self.model.oldest);
        let owners = self.owners();
        let mut topics = self.model.retained_topics();
        topics.extend(owners.keys().map(|topic| &**topic));
        assert_eq!(statistics.topics, topics.len());
        let counted = self.readers.iter().flatten().filter(|one| one.is_counted());
        assert_eq!(statistics.subscribers, counted.count());
        assert_eq!(statistics.lagged, self.lagged);
        let readers = self.readers.iter().flatten();
        let readers = readers.filter(|one| one.is_counted() && !one.is_held());
        let (lag, others): (Vec<_>, Vec<_>) =
            readers.partition(|one| one.owed.front().is_some_and(|first| *first < oldest));
        let behind = others.iter().map(|one| one.owed.len() as u64).max();
        assert_eq!(statistics.lagging, lag.len());
        assert_eq!(statistics.most_behind, behind.unwrap_or(0));
        assert_eq!(statistics.published, self.published);
        assert_eq!(statistics.retained_frames as u64, head - oldest);
        assert_eq!(
            statistics.retained_bytes,
            self.model.retained_bytes() as u64
        );
        for topic in ["ann", "bob", "carl", "dora"] {
            let many = owners.get(topic).copied().unwrap_or(0);
            assert_eq!(self.broadcast.subscribers_of(topic), many, "{topic}");
        }
        let sorted = |list: &[(String, bool)]| {
            let mut list = list.to_vec();
            list.sort();
            list
        };
        // Several topics of one subscriber come and go in any order.
        assert_eq!(sorted(&self.told.lock().unwrap()), sorted(&self.presence));
        let id = self.broadcast.last_event_id().map(|id| id.to_string());
        assert_eq!(id, self.model.id_before(head));
        for reader in self.readers.iter().flatten() {
            self.check_reader(reader);
        }
        for (id, reached, expected) in &mut self.awaited {
            assert_eq!(now(reached.as_mut()), *expected, "{id}");
        }
        self.awaited.retain(|(_, _, expected)| expected.is_none());
    }

    fn check_reader(&self, reader: &Reader) {
        let is_there = reader.is_counted();
        let mut names: Vec<_> = reader
            .handle
            .topics()
            .iter()
            .map(ToString::to_string)
            .collect();
        names.sort();
        let own: Vec<_> = reader.topics.keys().filter(|_| is_there).cloned().collect();
        assert_eq!(names, own);
        assert_eq!(
            now(reader.handle.closed()),
            reader.detached.or(reader.end.filter(|_| !is_there))
        );
        match &reader.body {
            Body::Held(held) => {
                let takes_all = takes(reader.kind, None);
                let last = self.model.id_before(self.model.head());
                for topic in ["ann", "bob", "carl", "dora"] {
                    let has = reader.topics.get(topic).filter(|_| is_there && takes_all);
                    let added = reader.added.get(topic);
                    let Some(key) = last.as_deref().map(number_in) else {
                        continue;
                    };
                    let id = sse_proto::EventId::new(last.clone().unwrap()).unwrap();
                    let is_taken = held.takes(Some(topic), None, &id);
                    match (has, added) {
                        (Some(since), None) if *since > 0 => {}
                        _ => assert_eq!(
                            is_taken,
                            has.is_some() && added.is_none_or(|added| Some(key) > *added)
                        ),
                    }
                }
                let id = sse_proto::EventId::from(1_u32);
                assert_eq!(held.takes(None, None, &id), is_there && takes_all);
                assert!(!held.takes(Some("nobody"), None, &id));
            }
            Body::Live(subscription) => {
                let has_lost = reader
                    .owed
                    .front()
                    .is_some_and(|one| *one < self.model.oldest);
                if reader.end.is_some() || reader.detached.is_some() || has_lost {
                    return;
                }
                assert_eq!(subscription.lag(), reader.owed.len() as u64);
                assert_eq!(reader.handle.lag(), reader.owed.len() as u64);
                let first = reader.owed.front().copied().unwrap_or(self.model.head());
                let id = subscription.last_event_id().map(|id| id.to_string());
                assert_eq!(id, self.model.id_before(first));
            }
        }
    }
}
