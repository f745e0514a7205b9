//! `cargo stack dead-letters` and `cargo stack replay` operate running services by their
//! operations ports. `cargo stack keys` manages API keys.

mod arguments;
mod dead_letters;
mod key_store;
mod keys;
mod operations;
mod replay;

use arguments::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::DeadLetters(arguments) => dead_letters::run(&arguments).await,
        Command::Replay(arguments) => replay::run(&arguments).await,
        Command::Keys(arguments) => keys::run(&arguments),
    };
    kit::exit_code(outcome)
}
