//! `cargo stack bench`: measures the stack on servers of its own, against what
//! these can do at best.
//!
//! One thread with one runtime does all of it, the load included: it shares two
//! cores with what it measures, and what it takes is missing there. The report
//! tells how much that is.

mod arguments;
mod bare_server;
mod client;
mod closed_loop;
mod cpu;
mod databases;
mod figures;
mod fsync;
mod grown;
mod machine;
mod measured;
mod memory;
mod open_loop;
mod output;
mod pgbench;
mod progress;
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
use arguments::{Arguments, Role};
use clap::Parser;
use session::Session;
use std::process::ExitCode;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        // With a thread for each core, as the services have.
        Some(Role::BareServer) => Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("runtime")
            .and_then(|runtime| runtime.block_on(bare_server::run())),
        None => Builder::new_current_thread()
            .enable_all()
            .build()
            .context("runtime")
            .and_then(|runtime| runtime.block_on(run_until_stopped(&arguments))),
    };
    done.unwrap_or_else(|error| {
        output::note(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Runs the bench. A signal drops all that is under way, and with it the
/// services that were started.
async fn run_until_stopped(arguments: &Arguments) -> Result<ExitCode> {
    let mut signals = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        signals.push((kind, signal(kind).context("cannot catch signals")?));
    }
    let stopped = futures::future::select_all(signals.iter_mut().map(|(kind, signal)| {
        Box::pin(async move {
            signal.recv().await;
            kind.as_raw_value()
        })
    }));
    tokio::select! {
        code = run(arguments) => code,
        (signal, ..) = stopped => {
            output::note("stopped: there is no report");
            Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(130)))
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut session = Session::begin(arguments).await?;
    sections::run_all(&mut session, arguments).await;
    let folder = arguments.output();
    output::print(&format!("\n{}", session.report.text()));
    session.report.write(&folder)?;
    output::note(&format!("\nThe report is in {}.", folder.display()));
    Ok(if session.report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
