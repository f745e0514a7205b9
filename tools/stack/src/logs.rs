//! Log lines of programs, on the terminal and in files.

use crate::terminal::{self, Colour, paint};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// How many lines are kept, to print them if the service dies.
const KEPT_LINES: usize = 20;

/// Lines that are printed when the start is complete, so that they do not mix with the steps
/// and the addresses.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Prints a service's lines with its name before them, and keeps the last of them.
#[derive(Debug, Clone)]
pub struct LogStream {
    label: String,
    last: Arc<Mutex<VecDeque<String>>>,
}

impl LogStream {
    /// A stream that prints this label before each line.
    pub fn new(label: &str, colour: Colour) -> Self {
        Self { label: paint(colour, label), last: Arc::default() }
    }

    pub fn line(&self, line: &str) {
        let line = &sanitize(line);
        let mut last = self.last.lock();
        if last.len() == KEPT_LINES {
            last.pop_front();
        }
        last.push_back(line.to_owned());
        drop(last);
        let labelled = format!("{} {line}", self.label);
        match HELD.lock().as_mut() {
            Some(held) => held.push(labelled),
            None => terminal::print(&labelled),
        }
    }

    pub fn last_lines(&self) -> Vec<String> {
        self.last.lock().iter().cloned().collect()
    }
}

/// The line without characters that could control the terminal, and without tabs.
pub fn sanitize(line: &str) -> String {
    safe_text::sanitize(&line.replace('\t', "    ")).into_owned()
}

/// Holds back all lines from now on.
pub fn hold() {
    *HELD.lock() = Some(Vec::new());
}

/// Prints the lines that were held back, and from now on each line at once.
pub fn release() {
    // Locked to the end, so that no line overtakes those.
    let mut held = HELD.lock();
    for line in held.take().unwrap_or_default() {
        terminal::print(&line);
    }
}

/// The last lines of a file that are not empty.
pub fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        hold();
        let stream = LogStream::new("x", terminal::GREY);
        for number in 0..KEPT_LINES + 5 {
            stream.line(&number.to_string());
        }
        let last = stream.last_lines();
        assert_eq!(last.len(), KEPT_LINES);
        assert_eq!(last.first().map(String::as_str), Some("5"));
    }
}
