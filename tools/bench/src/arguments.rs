//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measures the stack on servers of its own, against what these can do at best.
///
/// Each section runs on fresh databases; what is compared is measured in turns,
/// and medians are compared. The report is printed and written to a folder, as
/// report.md and report.json. Exit code: 0 if all was measured, whether or not
/// targets were met; 1 if something could not be measured or the views were
/// wrong; 130 if stopped by Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "cargo stack bench", bin_name = "cargo stack bench", version)]
pub struct Arguments {
    /// One short round of everything: to see that it works, not to compare.
    #[arg(long)]
    pub quick: bool,

    /// Only these sections.
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    pub only: Vec<SectionName>,

    /// Measure again with so many orders already there.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100_000..))]
    pub grown: Option<u32>,

    /// At the end 1,000 orders per second for so long.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(3..))]
    pub soak: Option<u32>,

    /// Where the report goes [default: .stack/bench-report of the project]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,

    /// What else this program can be.
    #[command(subcommand)]
    pub role: Option<Role>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SectionName {
    /// From the start of the services until they are well.
    Start,
    /// Orders accepted.
    Intake,
    /// Orders all the way into the views.
    Pipe,
    /// How soon an order is visible.
    Lag,
    /// Queries.
    Reads,
    /// Working off a backlog.
    CatchUp,
    /// All of it on grown databases; needs --grown.
    Growth,
    /// A long run; needs --soak.
    Soak,
}

/// Programs that the bench starts of itself.
#[derive(Clone, Debug, Subcommand)]
pub enum Role {
    /// The bare server that queries are compared with.
    #[command(hide = true)]
    BareServer,
}

/// How long and how often things are measured.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Whether all is cut short.
    pub quick: bool,
    /// Turns of measurements that are compared.
    pub rounds: u64,
    /// One measurement.
    pub measure: Duration,
    /// Before each.
    pub warm_up: Duration,
}

impl Arguments {
    /// Whether a section is to run.
    pub fn wants(&self, section: SectionName) -> bool {
        let possible = match section {
            SectionName::Growth => self.grown.is_some(),
            SectionName::Soak => self.soak.is_some(),
            _ => true,
        };
        possible && (self.only.is_empty() || self.only.contains(&section))
    }

    /// How long and how often things are measured.
    pub const fn pace(&self) -> Pace {
        let (rounds, measure, warm_up) = if self.quick { (1, 3, 1) } else { (3, 8, 2) };
        Pace {
            quick: self.quick,
            rounds,
            measure: Duration::from_secs(measure),
            warm_up: Duration::from_secs(warm_up),
        }
    }

    /// Where the report goes.
    pub fn output(&self) -> PathBuf {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project = package.ancestors().nth(2).unwrap_or(package);
        self.output.clone().unwrap_or_else(|| project.join(".stack/bench-report"))
    }
}

impl Pace {
    /// The second of the two if all is cut short.
    pub fn seconds(self, usual: u64, quick: u64) -> Duration {
        Duration::from_secs(if self.quick { quick } else { usual })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn growth_and_soak_run_only_if_their_size_is_given() {
        let wants = |line: &[&str], section| {
            Arguments::try_parse_from(["bench"].iter().chain(line)).unwrap().wants(section)
        };
        assert!(wants(&[], SectionName::Lag));
        assert!(!wants(&[], SectionName::Growth));
        assert!(wants(&["--grown", "1000000"], SectionName::Growth));
        assert!(!wants(&["--grown", "1000000", "--only", "pipe"], SectionName::Growth));
        assert!(wants(&["--only", "pipe,catch-up"], SectionName::CatchUp));
        assert!(!wants(&["--only", "pipe,catch-up"], SectionName::Lag));
    }
}
