//! `cargo stack bench`: measures the stack on separate servers and compares it with the most
//! that these servers can do.
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
    let mut runtime = match arguments.bare_server {
        // With a thread per core, like the services.
        true => Builder::new_multi_thread(),
        false => Builder::new_current_thread(),
    };
    let done = runtime.enable_all().build().context("runtime").and_then(|runtime| match arguments
        .bare_server
    {
        true => runtime.block_on(bare_server::run()),
        false => runtime.block_on(run_until_stopped(&arguments)),
    });
    kit::exit_code(done)
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
