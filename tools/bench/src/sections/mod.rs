//! The sections, in the order in which they run.

mod catch_up;
mod growth;
mod intake;
mod lag;
mod pipe;
mod reads;
mod soak;
mod start;

use crate::arguments::{Arguments, SectionName};
use crate::session::Session;
use anyhow::Result;
use clap::ValueEnum;
use kit::note;

/// Runs all requested sections, also after one has failed.
pub async fn run_all(session: &mut Session, arguments: &Arguments) {
    for section in SectionName::value_variants() {
        if !arguments.includes(*section) {
            continue;
        }
        let done = match (section, arguments.grown, arguments.soak) {
            (SectionName::Growth, Some(orders), _) => growth::run(session, orders).await,
            (SectionName::Soak, _, Some(minutes)) => soak::run(session, minutes).await,
            _ => run(session, *section).await,
        };
        if let Err(error) = done {
            failed(session, *section, &error);
        }
    }
}

/// Runs a section that has no size.
async fn run(session: &mut Session, section: SectionName) -> Result<()> {
    session.begin_section(&name(section))?;
    match section {
        SectionName::Start => start::run(session).await?,
        SectionName::Intake => intake::run(session).await?,
        SectionName::Pipe => pipe::run(session).await?,
        SectionName::Lag => lag::run(session).await?,
        SectionName::Reads => reads::run(session).await?,
        SectionName::CatchUp => catch_up::run(session).await?,
        // They have a size.
        SectionName::Growth | SectionName::Soak => {}
    }
    session.end_section()
}

fn failed(session: &mut Session, section: SectionName, error: &anyhow::Error) {
    let what = format!("{} could not be measured: {error:#}", name(section));
    note(&format!("error: {what}"));
    session.report.fail(what);
}

fn name(section: SectionName) -> String {
    section.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
