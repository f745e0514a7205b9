//! What people see: results on standard output, everything else on standard
//! error. Nothing here fails when the reader has gone away.

use std::io::{Write, stderr, stdout};

/// A result.
pub fn print(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}

/// A remark.
pub fn note(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}
