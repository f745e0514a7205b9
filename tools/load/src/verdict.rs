//! The end of a run: what was found, and the exit code.

use crate::findings::Finding;
use crate::output::{note, print};
use crate::report::{grouped, table};
use crate::stop::Stop;
use crate::tally::Tally;
use crate::verify::Verified;
use std::process::ExitCode;

/// Prints what was found and gives the exit code; `load` is what was sent.
pub fn judge(verified: &Verified, load: &[Tally], stop: &Stop) -> ExitCode {
    print(&format!("\n{}\n", table(&verified.tallies)));
    for text in verified.findings.iter().filter_map(Finding::differences) {
        print(&format!("{text}\n"));
    }
    if stop.is_asked() {
        return stopped(stop, "Stopped: verification is incomplete.");
    }
    if verified.tallies.iter().any(|tally| tally.given_up) {
        note("error: the query service does not answer any more: verification is incomplete");
        return ExitCode::FAILURE;
    }
    if let Some(text) = not_accepted(load) {
        print(&text);
    }
    let (line, agrees) = summary(&verified.findings);
    print(&line);
    if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says that the run was stopped, and gives the exit code.
pub fn stopped(stop: &Stop, text: &str) -> ExitCode {
    print(&format!("\n{text}"));
    ExitCode::from(stop.exit_code())
}

/// The requests of the load that had no effect, or may have had none.
fn not_accepted(load: &[Tally]) -> Option<String> {
    let failed: u64 = load.iter().map(|tally| tally.failed).sum();
    let unknown: u64 = load.iter().map(|tally| tally.unknown).sum();
    (failed + unknown > 0).then(|| {
        let (failed, unknown) = (grouped(failed), grouped(unknown));
        format!("Of the load {failed} requests failed and {unknown} have an unknown outcome.")
    })
}

/// The last line, and whether everything agrees.
fn summary(findings: &[Finding]) -> (String, bool) {
    let differing: u64 = findings.iter().map(|finding| finding.differing).sum();
    let doubtful: u64 = findings.iter().map(|finding| finding.doubtful).sum();
    let compared: Vec<String> = findings
        .iter()
        .filter(|finding| finding.compared > 0)
        .map(|finding| format!("{} {}", grouped(finding.compared), finding.what))
        .collect();
    let compared = compared.join(", ");
    if differing == 0 {
        return (format!("verified: no difference in {compared}"), true);
    }
    let explained = match doubtful {
        0 => String::new(),
        _ => format!("{} of which unknown outcomes could explain, ", grouped(doubtful)),
    };
    let noun = if differing == 1 { "difference" } else { "differences" };
    let differing = grouped(differing);
    (format!("NOT verified: {differing} {noun}, {explained}in {compared}"), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Verdict;

    #[test]
    fn one_line_tells_what_agrees_and_what_does_not() {
        let mut users = Finding::new("sampled users");
        users.note(Verdict::about("user 1".to_owned()));
        let none = Finding::new("sampled orders");
        let line = "verified: no difference in 1 sampled users".to_owned();
        assert_eq!(summary(&[users.clone(), none]), (line, true));
        let wrong = || Verdict::about("user 2".to_owned()).wrong("is not there".to_owned());
        users.note(wrong());
        let line = "NOT verified: 1 difference, in 2 sampled users".to_owned();
        assert_eq!(summary(&[users.clone()]), (line, false));
        users.note(wrong().could_be_doubt(true));
        let line = "NOT verified: 2 differences, 1 of which unknown outcomes could explain, in 3 \
                    sampled users";
        assert_eq!(summary(&[users]), (line.to_owned(), false));
    }
}
