//! The results of comparisons.

use kit::grouped;
use serde::Serialize;

/// Maximum number of differences printed of each kind.
const PRINTED: usize = 10;

/// The result of one comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    Equal,
    /// The differences.
    Different(String),
    /// Differences that requests of unknown outcome can explain.
    Explained(String),
}

impl Compared {
    /// Compares what is shown with what is expected.
    pub fn of<T: PartialEq + Serialize>(subject: &str, shown: &T, expected: &T) -> Self {
        if shown == expected {
            return Self::Equal;
        }
        let json = |value: &T| serde_json::to_string(value).unwrap_or_default();
        Self::Different(format!("{subject} is {}, not {}", json(shown), json(expected)))
    }

    /// Marks a difference as explained if `can_be`.
    pub fn explained_if(self, can_be: bool) -> Self {
        match self {
            Self::Different(text) if can_be => Self::Explained(text),
            other => other,
        }
    }
}

/// The results of all comparisons of one kind.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The kind, in the plural.
    pub what: &'static str,
    pub compared: u64,
    pub different: u64,
    /// Number of differences that requests of unknown outcome can explain.
    pub explained: u64,
    /// The first differences.
    first: Vec<String>,
}

impl Finding {
    /// No comparison yet.
    pub const fn new(what: &'static str) -> Self {
        Self { what, compared: 0, different: 0, explained: 0, first: Vec::new() }
    }

    /// Adds the result of one comparison.
    pub fn add(&mut self, compared: Compared) {
        self.compared += 1;
        let text = match compared {
            Compared::Equal => return,
            Compared::Different(text) => text,
            Compared::Explained(text) => {
                self.explained += 1;
                format!("{text} (outcome unknown)")
            }
        };
        self.different += 1;
        if self.first.len() < PRINTED {
            self.first.push(text);
        }
    }

    /// A text about the differences; none if there are none.
    pub fn differences(&self) -> Option<String> {
        if self.different == 0 {
            return None;
        }
        let (different, compared) = (grouped(self.different), grouped(self.compared));
        let mut text = format!("{}: {different} of {compared} differ", self.what);
        if self.explained > 0 {
            let explained = grouped(self.explained);
            text += &format!(", {explained} of which requests of unknown outcome can explain");
        }
        for difference in &self.first {
            text += &format!("\n  {difference}");
        }
        let more = self.different - self.first.len() as u64;
        if more > 0 {
            text += &format!("\n  and {} more", grouped(more));
        }
        Some(text)
    }
}

/// One line with the result, and whether everything agrees.
pub fn summary(findings: &[Finding]) -> (String, bool) {
    let different: u64 = findings.iter().map(|finding| finding.different).sum();
    let explained: u64 = findings.iter().map(|finding| finding.explained).sum();
    let compared: Vec<String> = findings
        .iter()
        .filter(|finding| finding.compared > 0)
        .map(|finding| format!("{} {}", grouped(finding.compared), finding.what))
        .collect();
    let compared = compared.join(", ");
    if different == 0 {
        return (format!("verified: no difference in {compared}"), true);
    }
    let explained = match explained {
        0 => String::new(),
        _ => format!("{} of which unknown outcomes can explain, ", grouped(explained)),
    };
    let noun = if different == 1 { "difference" } else { "differences" };
    let different = grouped(different);
    (format!("NOT verified: {different} {noun}, {explained}in {compared}"), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differences_are_printed_and_all_are_counted() {
        let mut finding = Finding::new("customers");
        for id in 0..30 {
            let compared = Compared::of(&format!("customer {id}"), &(id % 2), &0);
            finding.add(compared.explained_if(id == 3));
        }
        assert_eq!((finding.compared, finding.different, finding.explained), (30, 15, 1));
        let text = finding.differences().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "customers: 15 of 30 differ, 1 of which requests of unknown outcome can explain",
                "  customer 1 is 1, not 0",
                "  customer 3 is 1, not 0 (outcome unknown)",
            ]
        );
        assert_eq!((lines.len(), lines[11]), (12, "  and 5 more"));
        assert_eq!(Finding::new("customers").differences(), None);
    }

    #[test]
    fn one_line_shows_the_result() {
        let mut users = Finding::new("sampled users");
        users.add(Compared::Equal);
        let none = Finding::new("sampled orders");
        let line = "verified: no difference in 1 sampled users".to_owned();
        assert_eq!(summary(&[users.clone(), none]), (line, true));
        users.add(Compared::Different("user 2 does not exist".to_owned()));
        let line = "NOT verified: 1 difference, in 2 sampled users".to_owned();
        assert_eq!(summary(&[users.clone()]), (line, false));
        users.add(Compared::Explained("user 3 does not exist".to_owned()));
        let line = "NOT verified: 2 differences, 1 of which unknown outcomes can explain, in 3 \
                    sampled users";
        assert_eq!(summary(&[users]), (line.to_owned(), false));
    }
}
