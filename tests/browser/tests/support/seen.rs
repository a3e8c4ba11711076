//! What the page shows.

use serde::Deserialize;

/// Runs in the page, and returns a [`Seen`].
pub(super) const SCRIPT: &str = include_str!("seen.js");

/// Runs in the page, and returns the [`Event`]s that an `EventSource` of its own has received since the first run.
pub(super) const RECORD: &str = include_str!("record.js");

/// One event, as a listener is given it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    pub(crate) event_type: String,
    pub(crate) last_event_id: String,
    pub(crate) data: String,
}

/// What the page shows at one moment.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) title: String,
    /// Of the connection, as the page calls it.
    pub(crate) state: String,
    /// How many have arrived.
    pub(crate) events: u64,
    pub(crate) reconnections: String,
    /// The last event ID.
    pub(crate) last: String,
    /// Of CPU, memory and load.
    pub(crate) readings: [String; 3],
    /// The times of the plotted readings of the load, in milliseconds.
    pub(crate) plotted: Vec<f64>,
    pub(crate) plots: usize,
    /// The list of events, the oldest first.
    pub(crate) rows: Vec<Row>,
    /// The history of the connection, the newest entry first, by lines.
    pub(crate) connection: Vec<Vec<String>>,
    pub(crate) images: usize,
    /// The colour of text, as CSS tells it.
    pub(crate) text: String,
    /// The colour of the background.
    pub(crate) ground: String,
}

impl Seen {
    /// The rows of an event type.
    pub(crate) fn rows_of(&self, event_type: &str) -> Vec<&Row> {
        let rows = self.rows.iter();
        rows.filter(|row| row.event_type == event_type).collect()
    }

    /// Whether the newest entry of the connection's history has this line.
    pub(crate) fn says(&self, line: &str) -> bool {
        let entry = self.connection.first();
        entry.is_some_and(|entry| entry.iter().any(|one| one == line))
    }
}

/// One event in the list.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) event_type: String,
    pub(crate) id: String,
    pub(crate) data: String,
    /// How many elements the data has become; none, if it is text.
    pub(crate) elements: usize,
    /// Not hidden by the choice of event types.
    pub(crate) shown: bool,
}
