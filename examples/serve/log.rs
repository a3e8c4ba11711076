//! The log of the program.

use std::fmt;
use std::io::{self, Write};

/// Writes one line to standard error.
///
/// Does not use `eprintln`, which panics if standard error is closed.
pub(crate) fn log(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
