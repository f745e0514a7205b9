//! `cargo stack load`: puts load on a running stack over HTTP, then verifies the sums that
//! the views show.
//!
//! It runs in one thread, because it shares the machine with the system under test.

mod arguments;
mod bodies;
mod catch_up;
mod client;
mod created;
mod creation;
mod expected;
mod findings;
mod order;
mod outcome;
mod phase;
mod plan;
mod report;
mod session;
mod stop;
mod tally;
mod verify;
mod words;

use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    kit::exit_code(session::run(&Arguments::parse()).await)
}
