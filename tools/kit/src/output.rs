//! Output of the tools. It ignores a closed pipe (`| head`), unlike `println!`, and
//! replaces control characters, so that quoted text cannot control the terminal.

use safe_text::sanitize;
use std::fmt::Display;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

/// Prints a line of the result to standard output.
pub fn print(text: &str) {
    let _ = writeln!(stdout(), "{}", sanitize(text));
}

/// Prints a remark or an error to standard error.
pub fn note(text: &str) {
    let _ = writeln!(stderr(), "{}", sanitize(text));
}

/// The exit code of a tool. Prints an error with its causes and returns that of a failure.
pub fn exit_code<E: Display>(outcome: Result<ExitCode, E>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        note(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
