//! `cargo stack load`: puts load on a running stack, over HTTP alone, and
//! verifies every sum that the views show afterwards.
//!
//! One thread does it all: it shares the machine with the system under test.

mod arguments;
mod catch_up;
mod client;
mod created;
mod creation;
mod expected;
mod findings;
mod loading;
mod outcome;
mod output;
mod pacing;
mod phase;
mod plan;
mod pricing;
mod progress;
mod report;
mod run_id;
mod session;
mod stop;
mod tally;
mod verdict;
mod verify;
mod words;

use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match session::run(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            output::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
