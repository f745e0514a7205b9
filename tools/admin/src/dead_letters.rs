//! `cargo stack dead-letters`.

use crate::arguments::{Action, DeadLetters, Which};
use crate::operations::Operations;
use anyhow::Result;
use kit::{note, print};
use reqwest::Method;
use safe_text::escape_json;
use serde_json::Value;
use std::process::ExitCode;

const PATH: &str = "/admin/dead-letters";

/// Runs the command. Exit code 1 if a dead letter was not processed.
pub async fn run(arguments: &DeadLetters) -> Result<ExitCode> {
    let service = Operations::at(&arguments.url, &arguments.access)?;
    match &arguments.action {
        Action::List => list(&service).await,
        Action::Show { id } => show(&service, *id).await,
        Action::Redrive { which, anyway } => {
            let query = [("anyway", if *anyway { "true" } else { "false" })];
            each(&service, which, Method::POST, "/redrive", &query).await
        }
        Action::Discard { which } => each(&service, which, Method::DELETE, "", &[]).await,
    }
}

async fn list(service: &Operations) -> Result<ExitCode> {
    let mut letters = 0;
    for_each(service, |letter| {
        letters += 1;
        print(&line(letter));
    })
    .await?;
    if letters == 0 {
        print("no dead letters");
    }
    Ok(ExitCode::SUCCESS)
}

/// A dead letter on two lines: the event, and the reason.
fn line(letter: &Value) -> String {
    // Quoted text cannot begin a new line.
    let text = |field: &str| letter[field].as_str().unwrap_or("-").replace('\n', " ");
    format!(
        "{id:>6}  {parked}  {queue:<14}  {event}  {bytes} bytes{ours}\n        {reason}",
        id = letter["id"],
        parked = text("parkedAt"),
        queue = text("queue"),
        event = text("eventId"),
        bytes = letter["bytes"],
        ours = if letter["ours"] == true { ", from our outbox" } else { "" },
        reason = text("reason"),
    )
}

async fn show(service: &Operations, id: u64) -> Result<ExitCode> {
    let letter = service.request(Method::GET, &format!("{PATH}/{id}"), &[]).await?.success()?;
    print(&escape_json(&serde_json::to_string_pretty(&letter)?));
    Ok(ExitCode::SUCCESS)
}

/// Sends a request for each of the dead letters and prints the results.
async fn each(
    service: &Operations,
    which: &Which,
    method: Method,
    subpath: &str,
    query: &[(&str, &str)],
) -> Result<ExitCode> {
    let mut ids = which.ids.clone();
    if which.all {
        for_each(service, |letter| ids.extend(letter["id"].as_u64())).await?;
    }
    let mut undone = 0;
    for id in &ids {
        let path = format!("{PATH}/{id}{subpath}");
        let response = service.request(method.clone(), &path, query).await?;
        if response.status < 300 {
            print(&format!("{id}: {}", response.body["outcome"].as_str().unwrap_or("done")));
        } else {
            undone += 1;
            print(&format!("{id}: {}", response.problem()));
        }
    }
    if undone > 0 {
        note(&format!("{undone} of {} dead letters were not changed", ids.len()));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads all dead letters, page by page.
async fn for_each(service: &Operations, mut visit: impl FnMut(&Value)) -> Result<()> {
    let mut cursor = "0".to_owned();
    loop {
        let query = [("limit", "500"), ("cursor", cursor.as_str())];
        let page = service.request(Method::GET, PATH, &query).await?;
        let next = page.next_cursor.clone();
        page.success()?.as_array().into_iter().flatten().for_each(&mut visit);
        match next {
            Some(next) => cursor = next,
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_bytes_cannot_control_the_terminal() {
        let letter = serde_json::json!({ "body": "a\u{1b}[2J\u{7f}\u{9b}2J é" });
        let shown = escape_json(&serde_json::to_string_pretty(&letter).unwrap());
        assert!(shown.chars().all(|c| !c.is_control() || c == '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), letter);
    }
}
