//! The table: what each client does, and each difference with its reason.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::client::{Client, Run, RunsOn};
use super::folder::Folder;
use super::seen::{Change, Line, Seen, compare};
use super::story::STAGES;

/// What stands where a reason is wanted.
const UNKNOWN: &str = "?";

/// A difference, as a line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    stage: usize,
    about: String,
    seen: String,
}

/// A line of the table, and the differences that belong to it.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    version: String,
    /// Whether the row has something in this column.
    has: [bool; STAGES.len()],
    differences: Vec<Difference>,
}

impl Row {
    /// Compares what came of a client with what should have.
    pub(crate) fn of_client(client: Client, run: &Run, folder: &Folder) -> Self {
        let version = match (client.runs_on, client.package) {
            (_, None) => "",
            (RunsOn::Python, Some(package)) => &folder.pypi_version(package),
            (_, Some(package)) => &folder.npm_version(package),
        };
        let expectation = client.protocol.expectation();
        let mut row = Self {
            name: client.name.to_owned(),
            version: version.to_owned(),
            has: [false; STAGES.len()],
            differences: Vec::new(),
        };
        for stage in expectation.events.iter().map(|event| event.stage) {
            row.has[stage] = true;
        }
        for (stage, _) in &expectation.requests {
            row.has[*stage] = true;
        }
        let seen = run.lines.iter().filter_map(|line| match line {
            Line::Event(seen) => Some(seen.clone()),
            Line::Failed { .. } => None,
        });
        let seen: Vec<Seen> = seen.collect();
        let mut changes = compare(&expectation.events, &seen);
        let failed = run.lines.iter().find_map(|line| match line {
            Line::Failed { error } => Some(error),
            Line::Event(_) => None,
        });
        if let Some(error) = failed {
            // What would have come is not lost one by one.
            let mut next = None;
            while let Some(Change::Lost(event)) = changes.last() {
                next = Some(*event);
                changes.pop();
            }
            let (stage, name) = next.map_or((STAGES.len() - 1, "the end"), |next| {
                (next.stage, &next.name)
            });
            row.add(stage, format!("before {name}"), format!("ends: {error}"));
        }
        row.compare_requests(&expectation.requests, &run.asked, failed.is_some());
        for change in changes {
            match change {
                Change::Lost(event) => row.add(event.stage, event.name.clone(), "lost".into()),
                Change::Other(event, seen) => {
                    row.add(event.stage, event.name.clone(), other(&event.seen, seen));
                }
                Change::More(after, seen) => {
                    let stage = after.map_or(0, |event| event.stage);
                    let is_half = seen.data.contains("half an event");
                    let stage = if is_half { 2 } else { stage };
                    let name = after.map_or("nothing", |event| &event.name);
                    row.add(
                        stage,
                        format!("after {name}"),
                        format!("one more: {}", shown(seen)),
                    );
                }
            }
        }
        row
    }

    fn compare_requests(
        &mut self,
        expected: &[(usize, Option<String>)],
        asked: &[Option<String>],
        has_failed: bool,
    ) {
        for (number, (stage, id)) in expected.iter().enumerate() {
            let id_of = |id: &Option<String>| id.clone().unwrap_or_else(|| "nothing".into());
            match asked.get(number) {
                Some(asked) if asked == id => {}
                Some(asked) => {
                    let seen = format!("with {} instead of {}", id_of(asked), id_of(id));
                    self.add(*stage, format!("request {}", number + 1), seen);
                }
                None if has_failed => return,
                None => {
                    self.add(
                        *stage,
                        format!("request {}", number + 1),
                        "does not come".into(),
                    );
                    return;
                }
            }
        }
        if asked.len() > expected.len() {
            let seen = format!("{} requests too many", asked.len() - expected.len());
            self.add(STAGES.len() - 1, "requests".into(), seen);
        }
    }

    /// Adds a difference, to one that is the same if there is one.
    fn add(&mut self, stage: usize, about: String, seen: String) {
        self.has[stage] = true;
        let same = self
            .differences
            .iter_mut()
            .find(|old| old.stage == stage && old.seen == seen);
        if let Some(same) = same {
            if !same.about.split(", ").any(|one| one == about) {
                same.about = format!("{}, {about}", same.about);
            }
        } else {
            self.differences.push(Difference { stage, about, seen });
        }
    }
}

/// The table as text.
#[derive(Debug)]
pub(crate) struct Table {
    text: String,
}

impl Table {
    /// Writes the table, with the reasons that the committed one has for the same differences.
    pub(crate) fn new(rows: &[Row]) -> Self {
        let committed = fs::read_to_string(path()).unwrap_or_default();
        let mut text = HEAD.to_owned();
        let _ = writeln!(text, "| client | version | {} |", STAGES.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(STAGES.len()));
        for row in rows {
            let _ = write!(text, "| {} | {} |", row.name, row.version);
            for (stage, has) in row.has.iter().enumerate() {
                let differs = row
                    .differences
                    .iter()
                    .any(|difference| difference.stage == stage);
                let cell = match (differs, has) {
                    (true, _) => "differs",
                    (false, true) => "right",
                    (false, false) => "",
                };
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
        text.push_str(DIFFERENCES);
        for row in rows {
            for Difference { stage, about, seen } in &row.differences {
                let start = format!("| {} | {} | {about} | {seen} | ", row.name, STAGES[*stage]);
                let reason = committed.lines().find_map(|line| line.strip_prefix(&start));
                let reason = reason
                    .and_then(|reason| reason.strip_suffix(" |"))
                    .unwrap_or(UNKNOWN);
                let _ = writeln!(text, "{start}{reason} |");
            }
        }
        Self { text }
    }

    /// Compares it with the one that is committed, or writes it in its place.
    pub(crate) fn check(&self) {
        if std::env::var_os("SSE_PROTO_INTEROP_WRITE").is_some() {
            fs::write(path(), &self.text).expect("the table is written");
        }
        let committed = fs::read_to_string(path()).unwrap_or_default();
        let lines = |one: &str, other: &str, mark: &str| -> String {
            let only = one
                .lines()
                .filter(|line| !other.lines().any(|same| same == *line));
            only.map(|line| format!("{mark} {line}\n")).collect()
        };
        let old = lines(&committed, &self.text, "-");
        let new = lines(&self.text, &committed, "+");
        assert!(
            committed == self.text,
            "table.md differs from what is seen:\n{old}{new}"
        );
        let unknown = format!("| {UNKNOWN} |");
        assert!(
            !committed.contains(&unknown),
            "table.md has differences without a reason"
        );
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("table.md")
}

const HEAD: &str = "# Real clients on our servers

Written by the test beside it, but for the reasons.

";

const DIFFERENCES: &str = "
## Differences

| client | where | about | seen | reason |
|---|---|---|---|---|
";

/// What differs between two events.
fn other(expected: &Seen, seen: &Seen) -> String {
    let fields = [
        ("type", &expected.event_type, &seen.event_type),
        ("data", &expected.data, &seen.data),
        ("id", &expected.id, &seen.id),
    ];
    let differing = fields
        .into_iter()
        .filter(|(_, expected, seen)| expected != seen);
    let differing = differing.map(|(field, expected, seen)| match field {
        "id" => format!("id {} instead of {}", quoted(seen), quoted(expected)),
        _ => format!("{field} {}", quoted(seen)),
    });
    differing.collect::<Vec<_>>().join(", ")
}

fn shown(seen: &Seen) -> String {
    let Seen {
        event_type,
        data,
        id,
    } = seen;
    format!(
        "type {}, data {}, id {}",
        quoted(event_type),
        quoted(data),
        quoted(id)
    )
}

/// As one line of a table, short.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let rest = text.chars().count().saturating_sub(40);
    let rest = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    format!(
        "`{}`{rest}",
        format!("{short:?}").replace('|', "\\|").replace('`', "'")
    )
}
