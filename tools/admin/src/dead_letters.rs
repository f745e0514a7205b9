//! `cargo stack dead-letters`.

use crate::arguments::{Action, DeadLetters, Which};
use crate::operations::{Answer, Operations};
use anyhow::Result;
use kit::{note, print};
use reqwest::Method;
use safe_text::escape_json;
use serde_json::Value;
use std::process::ExitCode;

const PATH: &str = "/admin/dead-letters";

/// Does what was asked for. Exit code 1 if something was not done.
pub async fn run(arguments: &DeadLetters) -> Result<ExitCode> {
    let service = Operations::at(&arguments.url, arguments.port_offset, &arguments.credential)?;
    match &arguments.action {
        Action::List => list(&service).await,
        Action::Show { id } => show(&service, *id).await,
        Action::Redrive { which, anyway } => {
            let anyway = if *anyway { "true" } else { "false" };
            each(&service, which, async |id| {
                let path = format!("{PATH}/{id}/redrive");
                service.ask(Method::POST, &path, &[("anyway", anyway)]).await
            })
            .await
        }
        Action::Discard { which } => {
            each(&service, which, async |id| {
                service.ask(Method::DELETE, &format!("{PATH}/{id}"), &[]).await
            })
            .await
        }
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

/// A letter on two lines: what it is, and why it is here.
fn line(letter: &Value) -> String {
    // One that quotes a stranger cannot look like a line of ours.
    let text = |member: &str| letter[member].as_str().unwrap_or("-").replace('\n', " ");
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
    let letter = service.ask(Method::GET, &format!("{PATH}/{id}"), &[]).await?.success()?;
    print(&escape_json(&serde_json::to_string_pretty(&letter)?));
    Ok(ExitCode::SUCCESS)
}

/// Does something with each of the letters, and says what came of it.
async fn each(
    service: &Operations,
    which: &Which,
    ask: impl AsyncFn(u64) -> Result<Answer>,
) -> Result<ExitCode> {
    let ids = if which.all { all(service).await? } else { which.ids.clone() };
    let mut undone = 0;
    for id in &ids {
        let answer = ask(*id).await?;
        if answer.status < 300 {
            print(&format!("{id}: {}", answer.body["outcome"].as_str().unwrap_or("done")));
        } else {
            undone += 1;
            print(&format!("{id}: {}", answer.complaint()));
        }
    }
    if undone > 0 {
        note(&format!("{undone} of {} letters are as they were", ids.len()));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(service: &Operations) -> Result<Vec<u64>> {
    let mut ids = Vec::new();
    for_each(service, |letter| ids.extend(letter["id"].as_u64())).await?;
    Ok(ids)
}

/// Reads all letters, page by page.
async fn for_each(service: &Operations, mut see: impl FnMut(&Value)) -> Result<()> {
    let mut cursor = "0".to_owned();
    loop {
        let query = [("limit", "500"), ("cursor", cursor.as_str())];
        let page = service.ask(Method::GET, PATH, &query).await?;
        let next = page.next_cursor.clone();
        page.success()?.as_array().into_iter().flatten().for_each(&mut see);
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
    fn what_a_stranger_wrote_does_not_reach_the_terminal() {
        let letter = serde_json::json!({ "body": "a\u{1b}[2J\u{7f}\u{9b}2J é" });
        let shown = escape_json(&serde_json::to_string_pretty(&letter).unwrap());
        assert!(shown.chars().all(|c| !c.is_control() || c == '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), letter);
    }
}
