//! What the program says of itself.

use std::fmt;
use std::io::{self, Write};

/// Writes one line to standard error.
///
/// Not `eprintln`, which panics when nobody reads standard error any more.
pub(crate) fn log(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
