//! The end of a run: the result and the exit code.

use crate::findings::Finding;
use crate::report::table;
use crate::stop::Stop;
use crate::tally::Tally;
use crate::verify::Verified;
use kit::{grouped, note, print};
use std::process::ExitCode;

/// Prints the result and returns the exit code. `load` has the tallies of what was sent.
pub fn judge(verified: &Verified, load: &[Tally], stop: &Stop) -> ExitCode {
    print(&format!("\n{}\n", table(&verified.tallies)));
    for text in verified.findings.iter().filter_map(Finding::differences) {
        print(&format!("{text}\n"));
    }
    if stop.is_requested() {
        return stopped(stop, "Stopped: verification is incomplete.");
    }
    if verified.tallies.iter().any(|tally| tally.abandoned) {
        note("error: the query service does not respond any more: verification is incomplete");
        return ExitCode::FAILURE;
    }
    if let Some(text) = not_accepted(load) {
        print(&text);
    }
    let (line, agrees) = summary(&verified.findings);
    print(&line);
    print("`cargo stack verify` compares every row and column of the views.");
    if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints that the run was stopped and returns the exit code.
pub fn stopped(stop: &Stop, text: &str) -> ExitCode {
    print(&format!("\n{text}"));
    ExitCode::from(stop.exit_code())
}

/// A text about the requests of the load that were not accepted, if any.
fn not_accepted(load: &[Tally]) -> Option<String> {
    let failed: u64 = load.iter().map(|tally| tally.failed).sum();
    let unknown: u64 = load.iter().map(|tally| tally.unknown).sum();
    (failed + unknown > 0).then(|| {
        let (failed, unknown) = (grouped(failed), grouped(unknown));
        format!("Of the load {failed} requests failed and {unknown} have an unknown outcome.")
    })
}

/// One line with the result, and whether everything agrees.
fn summary(findings: &[Finding]) -> (String, bool) {
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
    use crate::findings::Compared;

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
