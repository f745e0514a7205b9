//! `cargo stack verify`: recomputes every view from the write database and tells
//! what differs.

mod arguments;

use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;

/// Something differs.
const DIFFERENT: u8 = 1;

/// It could not be found out.
const NOT_DONE: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match verify::verify(&Arguments::parse().request(), &kit::note).await {
        Ok(report) => {
            report.lines.iter().for_each(|line| kit::print(line));
            ExitCode::from(if report.agrees { 0 } else { DIFFERENT })
        }
        Err(error) => {
            kit::note(&format!("error: {}", told(&error)));
            ExitCode::from(NOT_DONE)
        }
    }
}

/// What went wrong, from the outside in. An error of sqlx says itself what its source
/// says; of one that the database reported its words are enough.
fn told(error: &anyhow::Error) -> String {
    let mut told = Vec::new();
    for cause in error.chain() {
        match cause.downcast_ref() {
            Some(sqlx::Error::Database(database)) => told.push(database.message().to_owned()),
            _ => told.push(cause.to_string()),
        }
        if cause.is::<sqlx::Error>() {
            break;
        }
    }
    told.join(": ")
}
