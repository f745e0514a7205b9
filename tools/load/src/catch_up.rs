//! Waiting until the views show everything.

use crate::client::{Connection, Server};
use crate::outcome::judge;
use crate::progress::Progress;
use crate::report::grouped;
use crate::stop::Stop;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Between two looks.
const POLL: Duration = Duration::from_millis(100);

/// How long after the last command "caught up" means nothing yet: it is told by
/// counts that are up to 3 s old (docs/operations.md, "Lag").
pub const COUNTS_ARE_OLD: Duration = Duration::from_millis(3_200);

/// The views have caught up.
#[derive(Clone, Copy, Debug)]
pub struct CaughtUp {
    /// From the last command's answer to the order that came last being
    /// readable; none if there is no such order.
    pub visible_after: Option<Duration>,
    /// From the last command's answer to the views being known complete.
    pub complete_after: Duration,
}

/// Why the wait has ended.
#[derive(Clone, Debug)]
pub enum Waited {
    /// The views show everything.
    CaughtUp(CaughtUp),
    /// They did not move for too long; the last thing known of them.
    GivenUp(String),
    /// A stop was asked for.
    Stopped,
}

/// The answer of `GET /api/analytics/sync-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SyncStatus {
    is_caught_up: bool,
    lag_seconds: u64,
    /// None while the query service does not know it.
    pending_events: Option<u64>,
    dead_letters: u64,
    events_applied: u64,
}

impl SyncStatus {
    fn is_complete(self) -> bool {
        self.is_caught_up && self.has_no_lag()
    }

    /// Only dead letters are missing; waiting does not help.
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

/// Waits until the views show everything that was sent before `since`, and the
/// order with the id `last_order`; no longer than `patience` without progress.
///
/// # Errors
/// If progress cannot be shown.
pub async fn wait(
    server: &Server,
    last_order: Option<i64>,
    since: Instant,
    patience: Duration,
    stop: &Stop,
) -> anyhow::Result<Waited> {
    let progress = Progress::begin("views catching up", 0)?;
    let looking = look_until(server, last_order, since, patience, &progress);
    Ok(progress.during(stop.or(looking)).await.unwrap_or(Waited::Stopped))
}

async fn look_until(
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
        let known = match look(&mut connection).await {
            Ok(status) => {
                let is_visible = visible_after.is_some() || last_order.is_none();
                if status.is_complete() && is_visible && since.elapsed() > COUNTS_ARE_OLD {
                    progress.set(most_pending, most_pending);
                    let complete_after = since.elapsed();
                    return Waited::CaughtUp(CaughtUp { visible_after, complete_after });
                }
                if status.events_applied != applied {
                    (applied, moved) = (status.events_applied, Instant::now());
                }
                if status.lacks_dead_letters() && since.elapsed() > COUNTS_ARE_OLD {
                    return Waited::GivenUp(status.text());
                }
                if let Some(pending) = status.pending_events {
                    most_pending = most_pending.max(pending);
                    progress.set(most_pending - pending, most_pending);
                }
                status.text()
            }
            Err(why) => format!("the query service does not answer: {why}"),
        };
        if moved.elapsed() > patience {
            return Waited::GivenUp(known);
        }
        progress.remark(known);
        tokio::time::sleep(POLL).await;
    }
}

async fn look(connection: &mut Connection<'_>) -> Result<SyncStatus, String> {
    let answer = connection.get("/api/analytics/sync-status").await;
    let answer = judge(answer).map_err(|outcome| format!("{outcome:?}"))?;
    serde_json::from_slice(&answer.body).map_err(|error| error.to_string())
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
