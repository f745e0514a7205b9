//! The services' log lines on the terminal.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::terminal::{self, Colour, paint};

/// How many lines are kept for the case that the service dies.
const KEPT_LINES: usize = 20;

/// Lines that wait until the start is complete: they would tear the list of
/// steps and the addresses apart.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Where a service's lines go: to the terminal with its name before them, and
/// the last of them are kept.
#[derive(Debug, Clone)]
pub struct LogStream {
    label: String,
    last: Arc<Mutex<VecDeque<String>>>,
}

impl LogStream {
    /// A stream with that label before each line.
    pub fn new(label: &str, colour: Colour) -> Self {
        Self { label: paint(colour, label), last: Arc::default() }
    }

    /// Takes one line.
    pub fn line(&self, line: &str) {
        let line = &harmless(line);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT_LINES {
            last.pop_front();
        }
        last.push_back(line.to_owned());
        drop(last);
        let labelled = format!("{} {line}", self.label);
        match HELD.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(held) => held.push(labelled),
            None => terminal::print(&labelled),
        }
    }

    /// The last lines.
    pub fn last_lines(&self) -> Vec<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().cloned().collect()
    }
}

/// A line of another program, of which a terminal shows everything and obeys nothing.
pub fn harmless(line: &str) -> String {
    line.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}")
}

/// Holds all lines back from now on.
pub fn hold() {
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
}

/// Prints what was held back, and from now on every line at once.
pub fn release() {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    for line in held.take().unwrap_or_default() {
        terminal::print(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_nothing_to_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2J\u{9b}31m\tb"), "a\u{fffd}[2J\u{fffd}31m\tb");
    }

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
