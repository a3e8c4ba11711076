//! The table: a row for each client and server, and each difference with its reason.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::client::{Client, Run, RunsOn};
use super::folder::Folder;
use super::ours::{self, Server};
use super::seen::{Change, Expected, Line, Seen, compare};
use super::story;

/// Stands for a reason that is missing.
const UNKNOWN: &str = "?";

/// A longer list of names is abbreviated.
const NAMES: usize = 6;

/// A difference, as a line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    stage: usize,
    about: Vec<String>,
    seen: String,
}

/// A row of the table, and its differences.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    version: String,
    stages: &'static [&'static str],
    /// Whether the column applies to this row.
    has: Vec<bool>,
    differences: Vec<Difference>,
}

impl Row {
    /// Compares the result of a client with its expectation.
    pub(crate) fn of_client(client: Client, run: &Run, folder: &Folder) -> Self {
        let version = match (client.runs_on, client.package) {
            (_, None) => String::new(),
            (RunsOn::Python, Some(package)) => Folder::pypi_version(package),
            (_, Some(package)) => folder.npm_version(package),
        };
        let expectation = client.protocol.expectation();
        let mut row = Self::new(client.name, version, &story::STAGES);
        for (stage, _) in &expectation.requests {
            row.has[*stage] = true;
        }
        let has_failed = row.compare_lines(&expectation.events, &run.lines);
        row.compare_requests(&expectation.requests, &run.asked, has_failed);
        row
    }

    /// Compares what our client received from a server with what it should have received.
    pub(crate) fn of_server(server: Server, lines: &[Line], folder: &Folder) -> Self {
        let version = if server.is_python() {
            Folder::pypi_version(server.package)
        } else {
            folder.npm_version(server.package)
        };
        let mut row = Self::new(server.name, version, &ours::STAGES);
        row.compare_lines(&server.expected(), lines);
        row
    }

    fn new(name: &str, version: String, stages: &'static [&'static str]) -> Self {
        Self {
            name: name.to_owned(),
            version,
            stages,
            has: vec![false; stages.len()],
            differences: Vec::new(),
        }
    }

    /// Compares events. Returns true if the client ended too early.
    fn compare_lines(&mut self, expected: &[Expected], lines: &[Line]) -> bool {
        for event in expected {
            self.has[event.stage] = true;
        }
        let seen = lines.iter().filter_map(|line| match line {
            Line::Event(seen) => Some(seen.clone()),
            Line::Failed { .. } => None,
        });
        let seen: Vec<Seen> = seen.collect();
        let mut changes = compare(expected, &seen);
        let failed = lines.iter().find_map(|line| match line {
            Line::Failed { error } => Some(error),
            Line::Event(_) => None,
        });
        if let Some(error) = failed {
            // The end explains why the remaining events are missing.
            let mut next = None;
            while let Some(Change::Lost(event)) = changes.last() {
                next = Some(*event);
                changes.pop();
            }
            let last = self.stages.len() - 1;
            let (stage, name) = next.map_or((last, "the end"), |next| (next.stage, &next.name));
            self.add(stage, name.to_owned(), format!("ends before: {error}"));
        }
        for change in changes {
            match change {
                Change::Lost(event) => self.add(event.stage, event.name.clone(), "lost".into()),
                Change::Other(event, seen) => {
                    self.add(event.stage, event.name.clone(), other(&event.seen, seen));
                }
                Change::More([before, after], seen) => {
                    let stage_of = |event: Option<&Expected>| event.map(|event| event.stage);
                    // Between two columns it belongs to the second, except half an event.
                    let is_half = seen.data.contains("half an event");
                    let stage = if is_half {
                        Some(2)
                    } else {
                        stage_of(after).or(stage_of(before))
                    };
                    let name = before.map_or("nothing", |event| &event.name).to_owned();
                    self.add(
                        stage.unwrap_or(0),
                        name,
                        format!("one more after: {}", shown(seen)),
                    );
                }
            }
        }
        failed.is_some()
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
            self.add(self.stages.len() - 1, "requests".into(), seen);
        }
    }

    /// Adds a difference. Equal differences share a line.
    fn add(&mut self, stage: usize, about: String, seen: String) {
        self.has[stage] = true;
        let mut old = self.differences.iter_mut();
        if let Some(same) = old.find(|old| old.stage == stage && old.seen == seen) {
            if !same.about.contains(&about) {
                same.about.push(about);
            }
        } else {
            let about = vec![about];
            self.differences.push(Difference { stage, about, seen });
        }
    }

    /// Writes the row of the upper table.
    fn write(&self, text: &mut String) {
        let _ = write!(text, "| {} | {} |", self.name, self.version);
        for (stage, has) in self.has.iter().enumerate() {
            let mut differences = self.differences.iter();
            let cell = match (differences.any(|difference| difference.stage == stage), has) {
                (true, _) => "differs",
                (false, true) => "right",
                (false, false) => "",
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }

    /// Writes the differences, with the reasons from the committed table.
    fn write_differences(&self, text: &mut String, committed: &str) {
        for Difference { stage, about, seen } in &self.differences {
            let about = match &about[..] {
                [first, .., last] if about.len() > NAMES => {
                    format!("{first} to {last}, {} cases", about.len())
                }
                about => about.join("; "),
            };
            let start = format!(
                "| {} | {} | {about} | {seen} | ",
                self.name, self.stages[*stage]
            );
            let reason = committed.lines().find_map(|line| line.strip_prefix(&start));
            let reason = reason.and_then(|reason| reason.strip_suffix(" |"));
            let _ = writeln!(text, "{start}{} |", reason.unwrap_or(UNKNOWN));
        }
    }
}

/// The page with all tables.
#[derive(Debug)]
pub(crate) struct Table {
    text: String,
}

impl Table {
    /// Formats the page.
    pub(crate) fn new(clients: &[Row], servers: &[Row]) -> Self {
        let committed = fs::read_to_string(path()).unwrap_or_default();
        let mut text = HEAD.to_owned();
        let parts: [(_, _, &[&str], _); 2] = [
            ("Clients", "client", &story::STAGES, clients),
            ("Servers", "server", &ours::STAGES, servers),
        ];
        for (title, who, stages, rows) in parts {
            let _ = writeln!(
                text,
                "\n## {title}\n\n| {who} | version | {} |",
                stages.join(" | ")
            );
            let _ = writeln!(text, "|---|---|{}", "---|".repeat(stages.len()));
            for row in rows {
                row.write(&mut text);
            }
            let _ = writeln!(text, "\n| {who} | where | at | seen | reason |");
            let _ = writeln!(text, "|---|---|---|---|---|");
            for row in rows {
                row.write_differences(&mut text, &committed);
            }
        }
        Self { text }
    }

    /// Compares the page with the committed one. If the environment says so, writes it first.
    pub(crate) fn check(&self) {
        if std::env::var_os("SSE_PROTO_INTEROP_WRITE").is_some() {
            fs::write(path(), &self.text).expect("the table is written");
        }
        let committed = fs::read_to_string(path()).unwrap_or_default();
        let lines = |one: &str, other: &str, mark: &str| -> String {
            let only = one
                .lines()
                .filter(|line| !other.lines().any(|same| same == *line));
            let marked = only.map(|line| format!("{mark} {line}"));
            marked.collect::<Vec<_>>().join(
                "
",
            )
        };
        let old = lines(&committed, &self.text, "-");
        let new = lines(&self.text, &committed, "+");
        assert!(
            committed == self.text,
            "table.md differs from what is seen:\n{old}\n{new}"
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

const HEAD: &str = "\
# Real clients on this crate's servers, and its client on real servers

`.ci/run interop` compares this page with what it sees. With `SSE_PROTO_INTEROP_WRITE=1` in the environment it writes the
page, with `?` for each reason that is missing.

\"Right\" means that the client received what the standard says, and that each request had the right last event ID.
Comments and reconnection times that are sent alone end with one LF, except under \"blank lines\". The SDKs receive answers
in their own protocols; they do not resume, except those of the Model Context Protocol.
";

/// Describes the fields that differ.
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

/// Quotes a text in one line, abbreviated.
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
