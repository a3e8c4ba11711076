//! The events that a client received, and those that it should have received.

use std::ops::Range;

use serde::Deserialize;

use super::cases::Case;

/// One line of a client's output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Line {
    /// An event.
    Event(Seen),
    /// The reason why the client ended before the last event.
    Failed { error: String },
}

/// One event, as a client hands it out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Seen {
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) data: String,
    pub(crate) id: String,
}

/// An event that should be received.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The column of the table.
    pub(crate) stage: usize,
    pub(crate) name: String,
    pub(crate) seen: Seen,
}

impl Expected {
    /// Makes an event without an id.
    pub(crate) fn event(stage: usize, name: &str, event_type: &str, data: String) -> Self {
        Self {
            stage,
            name: name.to_owned(),
            seen: Seen {
                event_type: event_type.to_owned(),
                data,
                id: String::new(),
            },
        }
    }

    /// Returns what the standard dispatches for these events, after one with the id `last_event_id`.
    pub(crate) fn list(stage: usize, cases: &[Case], last_event_id: &str) -> Vec<Self> {
        let mut id = last_event_id.to_owned();
        let expected = cases.iter().map(|case| {
            if let Some(new) = case.event.id() {
                id = new.to_string();
            }
            let event_type = case.event.event_type();
            let data = case.event.data().unwrap_or_default();
            Self {
                stage,
                name: case.name.to_owned(),
                seen: Seen {
                    event_type: event_type.map_or_else(|| "message".into(), ToString::to_string),
                    data: data.replace("\r\n", "\n").replace('\r', "\n"),
                    id: id.clone(),
                },
            }
        });
        expected.collect()
    }
}

/// A difference between the events that were received and those that should have been.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// The event was not received.
    Lost(&'a Expected),
    /// The event was received with other fields.
    Other(&'a Expected, &'a Seen),
    /// An event was received that was not sent, between these two.
    More([Option<&'a Expected>; 2], &'a Seen),
}

/// Compares two lists by their longest common part.
pub(crate) fn compare<'a>(expected: &'a [Expected], seen: &'a [Seen]) -> Vec<Change<'a>> {
    let (rows, columns) = (expected.len(), seen.len());
    // The length of the longest common part of both tails.
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if expected[row].seen == seen[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let mut changes = Vec::new();
    let (mut row, mut column) = (0, 0);
    while row < rows || column < columns {
        // Skips to the next common event.
        let (row_start, column_start) = (row, column);
        let is_common = |row: usize, column: usize| {
            row < rows && column < columns && expected[row].seen == seen[column]
        };
        while !is_common(row, column) && (row < rows || column < columns) {
            let down = row < rows && common[row + 1][column] == common[row][column];
            if down {
                row += 1;
            } else {
                column += 1;
            }
        }
        changes.extend(pair(expected, row_start..row, &seen[column_start..column]));
        (row, column) = (row + 1, column + 1);
    }
    changes
}

/// Pairs expected events with received ones that have the same type and data, or what is left of the data.
fn pair<'a>(all: &'a [Expected], range: Range<usize>, mut came: &'a [Seen]) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    let around = |at: usize| [at.checked_sub(1).map(|before| &all[before]), all.get(at)];
    for at in range.clone() {
        let wanted = &all[at].seen;
        let is_same =
            |other: &Seen| (&other.event_type, &other.data) == (&wanted.event_type, &wanted.data);
        let is_rest = |other: &Seen| {
            let is_failure = wanted.event_type == "answered" && other.event_type == "failed";
            let text = rest(&other.data);
            is_failure || (!text.is_empty() && text == rest(&wanted.data))
        };
        let same = came.iter().position(is_same);
        if let Some(found) = same.or_else(|| came.iter().position(is_rest)) {
            let more = came[..found].iter();
            changes.extend(more.map(|more| Change::More(around(at), more)));
            changes.push(Change::Other(&all[at], &came[found]));
            came = &came[found + 1..];
        } else {
            changes.push(Change::Lost(&all[at]));
        }
    }
    let more = came.iter();
    changes.extend(more.map(|more| Change::More(around(range.end), more)));
    changes
}

/// Returns a text without the characters that some readers lose.
fn rest(text: &str) -> String {
    let is_lost =
        |character: char| character.is_whitespace() || matches!(character, '\0' | '\u{FEFF}');
    text.replace(is_lost, "")
}
