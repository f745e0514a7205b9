//! What a comparison has found.

use crate::report::grouped;
use std::fmt::Display;

/// Differences that are shown of each kind.
const SHOWN: usize = 10;

/// The outcome of comparing one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    subject: String,
    /// What is shown and what was expected, for each member that differs.
    differences: Vec<String>,
    /// Whether requests of unknown outcome could be why.
    could_be_doubt: bool,
}

/// The outcome of comparing all things of a kind.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The kind, in the plural.
    pub what: &'static str,
    /// How many were compared.
    pub compared: u64,
    /// How many differ.
    pub differing: u64,
    /// How many of these could differ because of requests of unknown outcome.
    pub doubtful: u64,
    /// The first differences.
    pub first: Vec<String>,
}

impl Verdict {
    /// Nothing is said of the subject yet.
    pub const fn about(subject: String) -> Self {
        Self { subject, differences: Vec::new(), could_be_doubt: false }
    }

    /// Compares a member.
    #[must_use]
    pub fn member<T: PartialEq + Display>(mut self, name: &str, shown: &T, expected: &T) -> Self {
        if shown != expected {
            self.differences.push(format!("{name} is {shown}, not {expected}"));
        }
        self
    }

    /// Compares a member that may be absent.
    #[must_use]
    pub fn optional<T: PartialEq + Display>(
        self,
        name: &str,
        shown: Option<&T>,
        expected: Option<&T>,
    ) -> Self {
        let text = |value: Option<&T>| value.map_or_else(|| "null".to_owned(), T::to_string);
        self.member(name, &text(shown), &text(expected))
    }

    /// Says that something is wrong.
    #[must_use]
    pub fn wrong(mut self, what: String) -> Self {
        self.differences.push(what);
        self
    }

    /// Says whether requests of unknown outcome could be why it differs.
    #[must_use]
    pub const fn could_be_doubt(mut self, could: bool) -> Self {
        self.could_be_doubt = could;
        self
    }

    /// Whether nothing differs.
    pub const fn agrees(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Finding {
    /// Nothing compared yet.
    pub const fn new(what: &'static str) -> Self {
        Self { what, compared: 0, differing: 0, doubtful: 0, first: Vec::new() }
    }

    /// Takes the outcome of one comparison.
    pub fn note(&mut self, verdict: Verdict) {
        self.compared += 1;
        if verdict.agrees() {
            return;
        }
        self.differing += 1;
        self.doubtful += u64::from(verdict.could_be_doubt);
        if self.first.len() < SHOWN {
            let doubt = if verdict.could_be_doubt { " (outcome unknown)" } else { "" };
            self.first.push(format!(
                "{}: {}{doubt}",
                verdict.subject,
                verdict.differences.join(", ")
            ));
        }
    }

    /// The differences, for people; none if there are none.
    pub fn differences(&self) -> Option<String> {
        if self.differing == 0 {
            return None;
        }
        let mut text = format!(
            "{}: {} of {} differ",
            self.what,
            grouped(self.differing),
            grouped(self.compared)
        );
        if self.doubtful > 0 {
            text += &format!(
                ", {} of which requests of unknown outcome could explain",
                grouped(self.doubtful)
            );
        }
        for difference in &self.first {
            text += &format!("\n  {difference}");
        }
        let more = self.differing - self.first.len() as u64;
        if more > 0 {
            text += &format!("\n  and {} more", grouped(more));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differences_are_shown_and_all_are_counted() {
        let mut finding = Finding::new("customers");
        for id in 0..30_u32 {
            let verdict = Verdict::about(format!("customer {id}"))
                .member("orderCount", &(id % 2), &0)
                .optional("lastOrderDate", None, (id == 1).then_some(&"2026"))
                .could_be_doubt(id == 3);
            finding.note(verdict);
        }
        assert_eq!((finding.compared, finding.differing, finding.doubtful), (30, 15, 1));
        let text = finding.differences().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "customers: 15 of 30 differ, 1 of which requests of unknown outcome could explain",
                "  customer 1: orderCount is 1, not 0, lastOrderDate is null, not 2026",
                "  customer 3: orderCount is 1, not 0 (outcome unknown)",
            ]
        );
        assert_eq!((lines.len(), lines[11]), (12, "  and 5 more"));
        assert_eq!(Finding::new("customers").differences(), None);
    }
}
