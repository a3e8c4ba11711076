//! What a client has seen, and what it should have.

use std::ops::Range;

use serde::Deserialize;

use super::cases::Case;

/// One line that a client writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Line {
    /// An event.
    Event(Seen),
    /// How it has ended before the last event came.
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

/// An event that should come.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The column of the table.
    pub(crate) stage: usize,
    pub(crate) name: String,
    pub(crate) seen: Seen,
}

impl Expected {
    /// An event without an id.
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

    /// What the standard makes of events, after one with an id.
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

/// Where what came and what should have come are not the same.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// It did not come.
    Lost(&'a Expected),
    /// Another came in its place.
    Other(&'a Expected, &'a Seen),
    /// It came without being sent, after this one.
    More(Option<&'a Expected>, &'a Seen),
}

/// Compares two lists by their longest common part.
pub(crate) fn compare<'a>(expected: &'a [Expected], seen: &'a [Seen]) -> Vec<Change<'a>> {
    let (rows, columns) = (expected.len(), seen.len());
    // How many are common from here on.
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
        // The next that both have; until then all differs.
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

/// Pairs those that should have come with those that came instead: with the same type and data, or with what is left of it.
fn pair<'a>(all: &'a [Expected], range: Range<usize>, mut came: &'a [Seen]) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    let mut before = range.start.checked_sub(1).map(|at| &all[at]);
    for one in &all[range] {
        let is_same = |other: &Seen| {
            (&other.event_type, &other.data) == (&one.seen.event_type, &one.seen.data)
        };
        let is_rest = |other: &Seen| {
            !rest(&other.data).is_empty() && rest(&other.data) == rest(&one.seen.data)
        };
        let at = came
            .iter()
            .position(is_same)
            .or_else(|| came.iter().position(is_rest));
        if let Some(at) = at {
            changes.extend(came[..at].iter().map(|more| Change::More(before, more)));
            changes.push(Change::Other(one, &came[at]));
            came = &came[at + 1..];
        } else {
            changes.push(Change::Lost(one));
        }
        before = Some(one);
    }
    changes.extend(came.iter().map(|more| Change::More(before, more)));
    changes
}

/// A text without what readers lose.
fn rest(text: &str) -> String {
    let is_lost =
        |character: char| character.is_whitespace() || matches!(character, '\0' | '\u{FEFF}');
    text.replace(is_lost, "")
}
