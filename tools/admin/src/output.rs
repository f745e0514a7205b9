//! What people see: results on standard output, everything else on standard
//! error. Nothing here fails when the reader has gone away, and whatever a text quotes
//! only shows.

use safe_text::sanitize;
use std::io::{Write, stderr, stdout};

/// A result.
pub fn print(text: &str) {
    let _ = writeln!(stdout(), "{}", sanitize(text));
}

/// A remark.
pub fn note(text: &str) {
    let _ = writeln!(stderr(), "{}", sanitize(text));
}
