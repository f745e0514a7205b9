//! `cargo stack`: the operator's tool.
//!
//! It starts the whole stack on a machine that has only Rust, runs the tests, the bench and
//! chaos against private servers, puts load on a running stack, verifies its views or operates
//! it, and prepares the query data that the services are compiled with. It changes databases
//! and brokers that it has not started itself only by explicit commands.

mod bench;
mod cargo_build;
mod cli;
mod data_folder;
mod debian_packages;
mod foreground;
mod gateway;
mod http;
mod infra;
mod infrastructure;
mod instance;
mod interrupt;
mod leftovers;
mod logs;
mod ports;
mod postgres;
mod prepare;
mod process;
mod process_groups;
mod project;
mod query_crates;
mod rabbitmq;
mod rabbitmq_setup;
mod server_binaries;
mod services;
mod supervisor;
mod system_user;
mod terminal;
mod test_leftovers;
mod test_programs;
mod test_run;
mod test_servers;
mod tools;
mod up;

use crate::cli::{Cli, Command};
use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            // After a request to stop, errors are consequences of it.
            if interrupt::requested() {
                terminal::note(interrupt::STOPPED);
            } else {
                terminal::print_error(&error);
            }
            ExitCode::from(interrupt::exit_code_of_failure())
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    interrupt::watch_signals()?;
    match command {
        Command::Up(args) => up::run(&args),
        Command::Infra(args) => infra::run(&args),
        Command::Test(args) => test_run::run(&args),
        Command::Load(args) => tools::run("load", None, &args.arguments),
        Command::Verify(args) => tools::run("verify", None, &args.arguments),
        Command::DeadLetters(args) => tools::run("admin", Some("dead-letters"), &args.arguments),
        Command::Replay(args) => tools::run("admin", Some("replay"), &args.arguments),
        Command::Keys(args) => tools::run("admin", Some("keys"), &args.arguments),
        Command::Bench(args) => bench::run(&args.arguments),
        Command::Chaos(args) => tools::run_chaos(&args.arguments),
        Command::Prepare(args) => {
            prepare::run(&args)?;
            tools::run_api_docs(args.check)
        }
    }
}
