//! `cargo stack verify`: recomputes every view from the write database and reports
//! differences.
//!
//! The result is exact while the system is running. A comparison takes a snapshot of the read
//! database first and of the write database second, so the write snapshot contains every event
//! that the views contain. Events that are committed but not in the views are known by their
//! ids, and the expected rows are computed without them (`views/applied_state.sql`). So even
//! the sums of the current hour agree to the last decimal.
//!
//! Rows that differ, and events that are not in the views, are compared again with new
//! snapshots. Only what differs in every comparison is reported.

mod arguments;
mod comparison;
mod databases;
mod events;
mod findings;
mod invariants;
mod merge;
mod numbers;
mod progress;
mod report;
mod row;
mod views;

use arguments::Arguments;
use clap::Parser;
use databases::Databases;
use findings::Findings;
use progress::Progress;
use report::Report;
use std::process::ExitCode;
use std::time::Duration;

/// Exit code if something differs.
const DIFFERENT: u8 = 1;

/// Exit code if the comparison failed.
const FAILED: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match verify(&Arguments::parse()).await {
        Ok(report) => {
            report.lines.iter().for_each(|line| kit::print(line));
            ExitCode::from(if report.agrees { 0 } else { DIFFERENT })
        }
        Err(error) => {
            kit::note(&format!("error: {}", description(&error)));
            ExitCode::from(FAILED)
        }
    }
}

async fn verify(arguments: &Arguments) -> anyhow::Result<Report> {
    let progress = Progress::begin();
    let mut databases = Databases::connect(arguments.write(), arguments.read()).await?;
    let views = views::load(&mut databases).await?;
    let mut findings = Findings::compare_all(&mut databases, &views, &progress).await?;
    let patience = Duration::from_secs(arguments.patience.into());
    findings.repeat_until_settled(&mut databases, &progress, patience).await?;
    report::report(&mut databases, &findings, arguments.differences).await
}

/// The chain of causes. The text of an sqlx error contains that of its source; of a database
/// error only the message of the server is shown.
fn description(error: &anyhow::Error) -> String {
    let mut causes = Vec::new();
    for cause in error.chain() {
        match cause.downcast_ref() {
            Some(sqlx::Error::Database(database)) => causes.push(database.message().to_owned()),
            _ => causes.push(cause.to_string()),
        }
        if cause.is::<sqlx::Error>() {
            break;
        }
    }
    causes.join(": ")
}
