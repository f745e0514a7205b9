//! The sections that growth may slow down, on databases with many orders.

use super::run as run_section;
use crate::arguments::SectionName::{self, CatchUp, Intake, Lag, Pipe, Reads};
use crate::grown;
use crate::session::Session;
use crate::sizes;
use anyhow::Result;

/// The sections that are measured again on grown databases.
pub const SECTIONS: [SectionName; 5] = [Intake, Pipe, Lag, Reads, CatchUp];

/// Fills a pair of databases with this many orders and runs sections on them.
pub async fn run(session: &mut Session, orders: u32, sections: &[SectionName]) -> Result<()> {
    kit::note("\ngrowth");
    let databases = grown::databases(&session.servers, orders).await?;
    let before = sizes::measure(&databases).await?;
    session.grown = Some(databases.clone());
    let measuring = async {
        for section in sections {
            run_section(session, *section).await?;
        }
        Ok(())
    };
    let outcome = measuring.await;
    session.grown = None;
    let after = sizes::measure(&databases).await?;
    session.report.remark(format!("sizes\n\n{}", sizes::compared(&before, &after)));
    databases.delete().await?;
    outcome
}
