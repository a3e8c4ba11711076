//! How a connection is lost, and how long the wait for the next one may be.

use sse_proto::client::Output;

use super::{Model, Phase, can_be_header};
use crate::support::client_told::{Told, Why};

impl Model {
    pub(super) fn is_interrupted(&self) -> bool {
        self.phase == Phase::Open && is_within_block(&self.bytes)
    }

    pub(super) fn may_repeat(&self) -> bool {
        let repeats = self.plain.repeats.unwrap_or(self.plain.method == "GET");
        !self.was_sent || repeats || self.can_resume()
    }

    /// Whether what follows is a GET that resumes.
    pub(super) fn can_resume(&self) -> bool {
        self.plain.resumes_with_get
            && self.had_stream
            && !self.id.is_empty()
            && can_be_header(&self.id)
    }

    pub(super) fn lose(
        &mut self,
        now: u128,
        why: Why,
        retry_after: Option<u128>,
        abort: bool,
        actual: &[Output],
    ) -> Vec<Told> {
        let interrupted = self.is_interrupted();
        if !self.may_repeat() {
            // An answer that came whole is no failure.
            let is_whole = why == Why::Ended;
            let why = if is_whole { why } else { Why::NotRepeatable };
            return self.close(why, interrupted, abort);
        }
        self.begin_loss(now, why);
        self.failures += 1;
        self.steps += 1;
        if self.plain.retries.is_some_and(|most| self.failures > most) {
            return self.close(Why::Attempts, interrupted, abort);
        }
        let (least, most) = self.delay(retry_after);
        if let Some((end, _)) = self.end() {
            let is_closed = matches!(actual.last(), Some(Output::Closed(_)));
            // Where it is a matter of chance, it is what it was.
            if now + least > end || (now + most > end && is_closed) {
                return self.close(Why::Time, interrupted, abort);
            }
        }
        self.phase = Phase::Waiting;
        self.until = Some((now + least, now + most));
        let lost = Told::Lost {
            why,
            interrupted,
            delay: self.online.then_some((least, most)),
            attempt: self.failures,
        };
        abort
            .then_some(Told::Abort)
            .into_iter()
            .chain([lost])
            .collect()
    }

    pub(super) fn begin_loss(&mut self, now: u128, why: Why) {
        if self.phase == Phase::Open {
            let is_new = !self.id.is_empty() && self.id != self.start_id;
            let is_polled = why == Why::Ended && self.had_event && is_new;
            if is_polled || now - self.opened_at >= self.plain.stable {
                self.forgive();
            }
        }
        self.since.get_or_insert(now);
    }

    pub(super) fn close(&mut self, why: Why, interrupted: bool, abort: bool) -> Vec<Told> {
        self.phase = Phase::Closed;
        let closed = Told::Closed { why, interrupted };
        abort
            .then_some(Told::Abort)
            .into_iter()
            .chain([closed])
            .collect()
    }

    /// The shortest and the longest that the next delay may be.
    pub(super) fn delay(&self, retry_after: Option<u128>) -> (u128, u128) {
        let plain = &self.plain;
        let longest = plain.longest.max(plain.shortest);
        let base = self.retry.unwrap_or(plain.base).max(plain.shortest);
        let mut grown = base;
        if let Some(most) = plain.most_backoff {
            for _ in 1..self.steps.min(80) {
                grown = grown.saturating_mul(2);
            }
            grown = grown.min(most).max(base);
        }
        // The jitter is on top of what was asked for, but for what the caller does not wait for.
        let asked = grown.max(retry_after.unwrap_or(0));
        let spread = asked.min(longest) * plain.jitter / 100;
        // Rounding costs a nanosecond.
        if asked > longest {
            let least = longest.saturating_sub(spread + 1).max(plain.shortest);
            (if spread == 0 { longest } else { least }, longest)
        } else {
            (asked, (asked + spread).min(longest))
        }
    }
}

/// Whether something of a block is left at the end: a field with a meaning, or a line that may have become one.
fn is_within_block(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let block = text
        .rfind("\n\n")
        .map_or(text.trim_start_matches('\n'), |at| &text[at + 2..]);
    let (lines, unfinished) = block.rsplit_once('\n').unwrap_or(("", block));
    let is_field = |line: &str| match line.split_once(':').unwrap_or((line, "")) {
        ("data" | "event", _) => true,
        ("id", value) => !value.contains('\0'),
        _ => false,
    };
    let known = ["data", "event", "id", "retry"];
    let may_become = match unfinished.split_once(':') {
        Some((name, _)) => known.contains(&name),
        None if unfinished.is_empty() => false,
        None => known.iter().any(|name| name.starts_with(unfinished)),
    };
    lines.split('\n').any(is_field) || may_become
}
