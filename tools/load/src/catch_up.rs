//! Waiting until the views show everything that was sent.

use crate::client::{Connection, Server};
use crate::outcome::judge;
use crate::stop::Stop;
use kit::{Progress, grouped};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Time between two reads of the status.
const POLL: Duration = Duration::from_millis(100);

/// Only after this time since the last command does "caught up" count that command: the
/// counts behind it are up to 3 s old (docs/operations.md, "Lag").
pub const AGE_OF_COUNTS: Duration = Duration::from_millis(3_200);

/// How the wait ended.
#[derive(Clone, Debug)]
pub enum Waited {
    /// The views show everything.
    CaughtUp {
        /// The time from `since` until the last order was readable, if there is one.
        visible_after: Option<Duration>,
        /// The time from `since` until the views were known to be complete.
        complete_after: Duration,
    },
    /// The views made no progress for too long. The last known status.
    TimedOut(String),
    /// A stop was requested.
    Stopped,
}

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

/// Waits until the views show everything that was sent before `since`, and the order
/// `last_order`. Ends after `patience` without progress.
pub async fn wait(
    server: &Server,
    last_order: Option<i64>,
    since: Instant,
    patience: Duration,
    stop: &Stop,
) -> Waited {
    let progress = Progress::begin("views catching up", 0);
    let waiting = poll(server, last_order, since, patience, &progress);
    progress.during(stop.or(waiting)).await.unwrap_or(Waited::Stopped)
}

async fn poll(
    server: &Server,
    last_order: Option<i64>,
    since: Instant,
    patience: Duration,
    progress: &Progress,
) -> Waited {
    let mut connection = Connection::new(server);
    let mut visible_after = None;
    let (mut applied, mut moved, mut most_pending) = (0, Instant::now(), 0);
    loop {
        if let (None, Some(id)) = (visible_after, last_order)
            && judge(connection.get(&format!("/api/orders/{id}")).await).is_ok()
        {
            visible_after = Some(since.elapsed());
        }
        let known = match read(&mut connection).await {
            Ok(status) => {
                let is_counted = since.elapsed() > AGE_OF_COUNTS;
                let is_visible = visible_after.is_some() || last_order.is_none();
                if status.is_complete() && is_visible && is_counted {
                    progress.set(most_pending, most_pending);
                    return Waited::CaughtUp { visible_after, complete_after: since.elapsed() };
                }
                if status.lacks_dead_letters() && is_counted {
                    return Waited::TimedOut(status.text());
                }
                if status.events_applied != applied {
                    (applied, moved) = (status.events_applied, Instant::now());
                }
                if let Some(pending) = status.pending_events {
                    most_pending = most_pending.max(pending);
                    progress.set(most_pending - pending, most_pending);
                }
                status.text()
            }
            Err(why) => format!("the query service does not respond: {why}"),
        };
        if moved.elapsed() > patience {
            return Waited::TimedOut(known);
        }
        progress.remark(known);
        tokio::time::sleep(POLL).await;
    }
}

async fn read(connection: &mut Connection<'_>) -> Result<SyncStatus, String> {
    let body = judge(connection.get("/api/analytics/sync-status").await);
    let body = body.map_err(|outcome| outcome.reason().to_owned())?;
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
