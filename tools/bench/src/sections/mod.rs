//! The sections, in the order in which they run.

mod catch_up;
mod expiry;
mod growth;
mod intake;
mod lag;
mod pipe;
mod reads;
mod soak;
mod start;

use crate::arguments::{Arguments, SectionName};
use crate::session::Session;
use crate::shop::Shop;
use anyhow::Result;
use clap::ValueEnum;
use kit::note;

/// Runs all requested sections, also after one has failed.
pub async fn run_all(session: &mut Session, arguments: &Arguments) {
    let sections = SectionName::value_variants().iter().copied();
    for section in sections.filter(|section| arguments.includes(*section)) {
        let done = match (section, arguments.grown, arguments.soak) {
            (SectionName::Growth, Some(orders), _) => {
                growth::run(session, orders, &growth::SECTIONS).await
            }
            (SectionName::Expiry, Some(orders), _) => {
                growth::run(session, orders, &[SectionName::Expiry]).await
            }
            (SectionName::Soak, _, Some(minutes)) => soak::run(session, minutes).await,
            _ => run(session, section).await,
        };
        if let Err(error) = done {
            let what = format!("{} could not be measured: {error:#}", name(section));
            note(&format!("error: {what}"));
            session.report.fail(what);
        }
    }
}

/// Runs a section that has no size.
async fn run(session: &mut Session, section: SectionName) -> Result<()> {
    let run = async |session: &mut Session, shop: &Shop| match section {
        SectionName::Start => start::run(session, shop).await,
        SectionName::Intake => intake::run(session, shop).await,
        SectionName::Pipe => pipe::run(session, shop).await,
        SectionName::Lag => lag::run(session, shop).await,
        SectionName::Reads => reads::run(session, shop).await,
        SectionName::CatchUp => catch_up::run(session, shop).await,
        SectionName::Expiry => expiry::run(session, shop).await,
        // `run_all` runs these with their size.
        SectionName::Growth | SectionName::Soak => Ok(()),
    };
    session.section(&name(section), run).await
}

fn name(section: SectionName) -> String {
    section.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
