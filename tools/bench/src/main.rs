//! `cargo stack bench`: measures the stack on separate servers and compares it with the
//! maximum that these servers reach.
//!
//! The bench runs in one thread, the load generation included, because it shares two cores with
//! what it measures. The report shows how much processor time it takes.

mod arguments;
mod bare_server;
mod cpu;
mod databases;
mod drive;
mod figures;
mod grown;
mod machine;
mod measured;
mod pgbench;
mod report;
mod requests;
mod sections;
mod servers;
mod service;
mod session;
mod shop;
mod sizes;
mod table;
mod visibility;

use anyhow::{Context, Result};
use arguments::Arguments;
use clap::Parser;
use session::Session;
use std::process::ExitCode;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = || -> Result<ExitCode> {
        if arguments.bare_server {
            // With a thread per core, like the services.
            Builder::new_multi_thread().enable_all().build()?.block_on(bare_server::run())
        } else {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run_until_stopped(&arguments))
        }
    };
    kit::exit_code(run())
}

/// Runs the bench. A signal drops the run, which stops the services that it has started.
async fn run_until_stopped(arguments: &Arguments) -> Result<ExitCode> {
    let mut signals = kit::signals().context("cannot catch signals")?;
    tokio::select! {
        code = run(arguments) => code,
        Some(signal) = signals.recv() => {
            kit::note("stopped: there is no report");
            Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(130)))
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut session = Session::begin(arguments).await?;
    sections::run_all(&mut session, arguments).await;
    let folder = arguments.output();
    kit::print(&format!("\n{}", session.report.text()));
    session.report.write(&folder)?;
    kit::note(&format!("\nThe report is in {}.", folder.display()));
    Ok(if session.report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
