//! Waiting until the views show everything that was sent.

use crate::bodies;
use crate::client::Connection;
use crate::created::Placed;
use crate::outcome::judge;
use crate::phase::Drive;
use anyhow::{Result, ensure};
use kit::{Progress, grouped, print};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Time between two reads of the status.
const POLL: Duration = Duration::from_millis(100);

/// `isCaughtUp` covers the last command only after this time: the counts behind it are up to 3 s
/// old (docs/operations.md, "Lag").
const AGE_OF_COUNTS: Duration = Duration::from_millis(3_200);

/// The response of `GET /api/analytics/sync-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SyncStatus {
    is_caught_up: bool,
    lag_seconds: u64,
    /// None while the query service cannot determine it.
    pending_events: Option<u64>,
    dead_letters: u64,
    events_applied: u64,
}

impl SyncStatus {
    fn is_complete(self) -> bool {
        self.is_caught_up && self.has_no_lag()
    }

    /// Whether only dead letters are missing, which do not arrive by themselves.
    fn lacks_dead_letters(self) -> bool {
        !self.is_caught_up && self.has_no_lag() && self.dead_letters > 0
    }

    fn has_no_lag(self) -> bool {
        self.lag_seconds == 0 && self.pending_events == Some(0)
    }

    fn text(self) -> String {
        let pending = self.pending_events.map_or("unknown".to_owned(), grouped);
        let mut text = format!("{pending} events pending, lag {} s", self.lag_seconds);
        if self.dead_letters > 0 {
            text.push_str(&format!(", {} dead letters", grouped(self.dead_letters)));
        }
        text
    }
}

/// Waits until the views show everything that was sent before `since`, and the order of the last
/// command, and prints how long it took; false if a stop was requested. Fails if the views make no
/// progress for too long.
pub async fn wait(drive: Drive<'_>, last: Option<Placed>, since: Instant) -> Result<bool> {
    let progress = Progress::begin("views catching up", 0);
    let waiting = poll(drive, last, since, &progress);
    let waited = progress.during(drive.stop.or(waiting)).await.transpose()?;
    let Some(visible_after) = waited else { return Ok(false) };
    let visible = visible_after.map_or_else(String::new, |visible| {
        let seconds = visible.as_secs_f64();
        format!("The last command was visible {seconds:.1} s after its response. ")
    });
    print(&format!(
        "\n{visible}After {:.1} s the views were known to be complete; the counts that show it are up \
         to {:.1} s old.",
        since.elapsed().as_secs_f64(),
        AGE_OF_COUNTS.as_secs_f64()
    ));
    Ok(true)
}

/// Returns the time from `since` until the last command was visible, if there is one.
async fn poll(
    Drive { arguments, server, .. }: Drive<'_>,
    last: Option<Placed>,
    since: Instant,
    progress: &Progress,
) -> Result<Option<Duration>> {
    let mut connection = Connection::new(server);
    let mut visible_after = None;
    let (mut applied, mut moved, mut most_pending) = (0, Instant::now(), 0);
    loop {
        if let (None, Some(last)) = (visible_after, last)
            && read(&mut connection, &format!("/api/orders/{}", last.id))
                .await
                .is_ok_and(|order: bodies::Order| last.is_shown_by(&order))
        {
            visible_after = Some(since.elapsed());
        }
        let is_counted = since.elapsed() > AGE_OF_COUNTS;
        let status: Result<SyncStatus, String> =
            read(&mut connection, "/api/analytics/sync-status").await;
        if let Ok(status) = &status {
            let is_visible = visible_after.is_some() || last.is_none();
            if status.is_complete() && is_visible && is_counted {
                progress.set(most_pending, most_pending);
                return Ok(visible_after);
            }
            if status.events_applied != applied {
                (applied, moved) = (status.events_applied, Instant::now());
            }
            if let Some(pending) = status.pending_events {
                most_pending = most_pending.max(pending);
                progress.set(most_pending - pending, most_pending);
            }
        }
        let lacks_dead_letters = status.as_ref().is_ok_and(|status| status.lacks_dead_letters());
        let known = status.map_or_else(
            |why| format!("the query service does not respond: {why}"),
            SyncStatus::text,
        );
        ensure!(
            !(lacks_dead_letters && is_counted),
            "the views lack only dead letters ({known}): see `cargo stack dead-letters list`; \
             verification was skipped"
        );
        ensure!(
            moved.elapsed() <= arguments.patience(),
            "the views did not catch up, no event was applied for {} s ({known}): see \
             http://localhost:{}/health of the consumer service; verification was skipped",
            arguments.patience,
            9082 + arguments.port_offset
        );
        progress.remark(known);
        tokio::time::sleep(POLL).await;
    }
}

async fn read<T: for<'de> Deserialize<'de>>(
    connection: &mut Connection<'_>,
    path: &str,
) -> Result<T, String> {
    let body = judge(connection.get(path).await);
    let body = body.map_err(|why| why.to_string())?;
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> SyncStatus {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn complete_means_caught_up_without_lag_and_nothing_pending() {
        let text = r#"{"lastProcessedEventTimestamp":null,"lagSeconds":0,"lagMilliseconds":0,
                       "isCaughtUp":true,"pendingEvents":0,"deadLetters":0,"eventsApplied":7}"#;
        assert!(status(text).is_complete());
        assert!(!status(&text.replace("true", "false")).is_complete());
        assert!(!status(&text.replace(r#""lagSeconds":0"#, r#""lagSeconds":1"#)).is_complete());
        let behind = status(&text.replace(r#""pendingEvents":0"#, r#""pendingEvents":1200"#));
        assert!(!behind.is_complete());
        assert_eq!(behind.text(), "1,200 events pending, lag 0 s");
        let unknown = status(&text.replace(r#""pendingEvents":0"#, r#""pendingEvents":null"#));
        assert!(!unknown.is_complete());
        assert_eq!(unknown.text(), "unknown events pending, lag 0 s");
        let parked =
            text.replace("true", "false").replace(r#""deadLetters":0"#, r#""deadLetters":2"#);
        assert!(status(&parked).lacks_dead_letters());
        assert_eq!(status(&parked).text(), "0 events pending, lag 0 s, 2 dead letters");
    }
}
