//! The command line.

use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measures the stack on separate servers and compares it with the maximum
/// that these reach.
///
/// Each section runs on fresh databases. Compared figures are medians of alternating
/// measurements. The report is printed, and written to a folder as report.md and
/// report.json. Exit code: 0 if everything was measured, whether or not targets were met;
/// 1 if something could not be measured or the views were wrong; 130 if stopped by Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "cargo stack bench", bin_name = "cargo stack bench", version)]
pub struct Arguments {
    /// Measure everything once and briefly, as a check, not for comparison.
    #[arg(long)]
    pub quick: bool,

    /// Run only these sections.
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    pub only: Vec<SectionName>,

    /// Measure again on databases with this many orders.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100_000..))]
    pub grown: Option<u32>,

    /// Finally, place 1,000 orders per second for this long.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(3..))]
    pub soak: Option<u32>,

    /// The folder of the report [default: .stack/bench-report of the project]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// Run the bare server that queries are compared with, instead of the bench.
    #[arg(long, hide = true)]
    pub bare_server: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SectionName {
    /// The time from the start of the services until they are healthy.
    Start,
    /// Accepted orders per second.
    Intake,
    /// Orders per second from the request to the views.
    Pipe,
    /// The time until an order is visible.
    Lag,
    /// Queries.
    Reads,
    /// Processing of a backlog.
    CatchUp,
    /// The sections again on grown databases; requires --grown.
    Growth,
    /// New orders while unpaid ones expire, on grown databases; requires --grown.
    Expiry,
    /// A long run; requires --soak.
    Soak,
}

#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Whether everything is shortened.
    pub quick: bool,
    /// Rounds of alternating measurements.
    pub rounds: u64,
    /// The duration of a measurement.
    pub measure: Duration,
    /// The time before each measurement.
    pub warm_up: Duration,
}

impl Arguments {
    pub fn includes(&self, section: SectionName) -> bool {
        let possible = match section {
            SectionName::Growth | SectionName::Expiry => self.grown.is_some(),
            SectionName::Soak => self.soak.is_some(),
            _ => true,
        };
        possible && (self.only.is_empty() || self.only.contains(&section))
    }

    pub const fn pace(&self) -> Pace {
        let (rounds, measure, warm_up) = if self.quick { (1, 3, 1) } else { (3, 8, 2) };
        Pace {
            quick: self.quick,
            rounds,
            measure: Duration::from_secs(measure),
            warm_up: Duration::from_secs(warm_up),
        }
    }

    pub fn output(&self) -> PathBuf {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project = package.ancestors().nth(2).unwrap_or(package);
        self.output.clone().unwrap_or_else(|| project.join(".stack/bench-report"))
    }
}

impl Pace {
    /// The usual seconds, or the quick ones.
    pub fn seconds(self, usual: u64, quick: u64) -> Duration {
        Duration::from_secs(if self.quick { quick } else { usual })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_and_soak_run_only_with_their_size() {
        let includes = |line: &[&str], section| {
            Arguments::try_parse_from(["bench"].iter().chain(line)).unwrap().includes(section)
        };
        assert!(includes(&[], SectionName::Lag));
        assert!(!includes(&[], SectionName::Growth));
        assert!(includes(&["--grown", "1000000"], SectionName::Growth));
        assert!(!includes(&["--grown", "1000000", "--only", "pipe"], SectionName::Growth));
        assert!(includes(&["--only", "pipe,catch-up"], SectionName::CatchUp));
        assert!(!includes(&["--only", "pipe,catch-up"], SectionName::Lag));
    }
}
