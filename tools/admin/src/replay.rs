//! `cargo stack replay`: publishes a range of past events again.

use crate::arguments::Replay;
use crate::operations::Operations;
use anyhow::{Result, bail};
use kit::{note, print};
use reqwest::Method;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PATH: &str = "/admin/replay";

/// Time between two reads of the progress.
const POLL: Duration = Duration::from_millis(200);

/// Time between two lines about the progress.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// Starts a replay and waits for its end.
pub async fn run(arguments: &Replay) -> Result<ExitCode> {
    let Replay { from, to, topic, url, access, .. } = arguments;
    let service = Operations::at(url, access)?;
    let query = [("from", from), ("to", to), ("topic", topic)];
    let query: Vec<_> =
        query.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    service.request(Method::POST, PATH, &query).await?.success()?;
    let mut last_line = Instant::now();
    loop {
        let progress = service.request(Method::GET, PATH, &[]).await?.success()?;
        let published = &progress["published"];
        match progress["state"].as_str() {
            Some("running") if last_line.elapsed() >= LINE_INTERVAL => {
                last_line = Instant::now();
                note(&format!("{published} events published again so far"));
            }
            Some("running") => {}
            Some("done") => {
                print(&format!(
                    "{published} events published again; views ignore those that they have applied"
                ));
                return Ok(ExitCode::SUCCESS);
            }
            _ => bail!(
                "the replay failed after {published} events: {}. Remove the cause and replay again",
                progress["error"].as_str().unwrap_or("unknown")
            ),
        }
        sleep(POLL).await;
    }
}
