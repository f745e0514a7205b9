//! `cargo stack verify`: recomputes every view from the write database and reports
//! differences.

mod arguments;

use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;

/// Exit code if something differs.
const DIFFERENT: u8 = 1;

/// Exit code if the comparison failed.
const FAILED: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match verify::verify(&Arguments::parse().request(), &kit::note).await {
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
