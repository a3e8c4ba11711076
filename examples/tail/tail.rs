//! Shows an event stream, and reconnects when the connection is lost: `cargo run --example tail --
//! URL`. `--json` writes JSON for programs. Without a URL, the stream is standard input.

mod follow;
mod show;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use sse_proto::decode::{DecodeRead, OwnedItem, ReceiveError};
use sse_proto::{Decoder, EventId};

use crate::follow::follow;
use crate::show::{printable, show, with_causes};

const HELP: &str = "\
Shows an event stream, each event as it comes.

    cargo run --example tail -- 127.0.0.1:8000/events [--json] [--last-event-id ID]
    curl -sN https://example.org/events | cargo run --example tail [-- --json]

    --json                one JSON object a line, for programs
    --last-event-id ID    begin after the event with this id, if the server has it

A URL without a scheme is http. With a URL it comes back when the stream is lost, with the last event ID, and tells on standard error.
";

#[derive(Default)]
struct Arguments {
    url: Option<String>,
    json: bool,
    last_event_id: Option<EventId<'static>>,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            // Fails if standard output is closed.
            let _ = io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            note(format_args!("{reason}\n\n{HELP}"));
            return ExitCode::from(2);
        }
    };
    match &arguments.url {
        Some(url) => follow(url, arguments.last_event_id.as_ref(), arguments.json),
        None => read(arguments.json),
    }
}

/// Reads the arguments. Returns `None` if the user asks for help.
fn arguments() -> Result<Option<Arguments>, String> {
    let mut found = Arguments::default();
    // Lossy, because `args` panics on arguments that are not Unicode.
    let mut given = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--json" => found.json = true,
            "--help" | "-h" => return Ok(None),
            "--last-event-id" => {
                let id = given.next().ok_or("--last-event-id needs an id")?;
                let id = EventId::new(&id).map_err(|error| error.to_string())?;
                found.last_event_id = Some(id.into_owned());
            }
            other if other.starts_with('-') || found.url.is_some() => {
                return Err(format!("unknown argument {}", printable(other)));
            }
            url => found.url = Some(http_url(url)?),
        }
    }
    if found.last_event_id.is_some() && found.url.is_none() {
        return Err("--last-event-id needs a URL".into());
    }
    Ok(Some(found))
}

/// Makes a URL of what a person writes, who may leave out the scheme.
fn http_url(url: &str) -> Result<String, String> {
    // A query may have a URL, too.
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let parts = url
        .split_once("://")
        .filter(|(scheme, _)| is_scheme(scheme));
    let (scheme, rest) = parts.unwrap_or(("http", url));
    match scheme.to_ascii_lowercase().as_str() {
        _ if rest.is_empty() => Err("the URL has no host".into()),
        "http" => Ok(format!("http://{rest}")),
        "https" => Err(format!(
            "there is no TLS in this example; try curl -sN {}",
            printable(url)
        )),
        other => Err(format!("there is no way to follow {}", printable(other))),
    }
}

/// Shows the events of standard input.
fn read(json: bool) -> ExitCode {
    let mut events = 0_usize;
    let decoder = Decoder::new().with_comments(true).with_last_event_ids(true);
    for item in DecodeRead::new(io::stdin().lock(), decoder) {
        let shown = match &item {
            Ok(item) => {
                events += usize::from(matches!(item, OwnedItem::Event(_)));
                show(item, json)
            }
            // An event above a limit is skipped. The stream continues.
            Err(ReceiveError::Decode(error)) => {
                note(format_args!("event skipped: {error}"));
                continue;
            }
            Err(error) => {
                note(format_args!("{}", with_causes(error)));
                return ExitCode::FAILURE;
            }
        };
        match shown {
            Ok(()) => {}
            // The reader of standard output has closed it.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Err(error) => {
                note(format_args!("{error}"));
                return ExitCode::FAILURE;
            }
        }
    }
    if events == 0 {
        note(format_args!("the input had no event"));
    }
    ExitCode::SUCCESS
}

/// Writes a line to standard error. Does nothing if standard error is closed.
fn note(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "tail: {text}");
}
