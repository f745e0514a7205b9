//! Reading from the query service, again and again if need be: reading changes
//! nothing.

use crate::client::{Answer, Connection};
use crate::outcome::{Outcome, judge};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a query service that does not answer, or answers 5xx, is tried.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// What `path` answers; none for a 404.
///
/// # Errors
/// Why it cannot be read.
pub async fn read<T: for<'de> Deserialize<'de>>(
    connection: &mut Connection<'_>,
    path: &str,
) -> Result<Option<T>, String> {
    match answer(connection, path).await? {
        Some(answer) => parse(&answer).map(Some),
        None => Ok(None),
    }
}

/// A page of a list, and the cursor of the next.
///
/// # Errors
/// Why it cannot be read.
pub async fn page<T: for<'de> Deserialize<'de>>(
    connection: &mut Connection<'_>,
    path: &str,
) -> Result<(Vec<T>, Option<String>), String> {
    let answer = answer(connection, path).await?.ok_or("404")?;
    Ok((parse(&answer)?, answer.next_cursor))
}

/// The answer to `GET path`; none for a 404.
///
/// # Errors
/// Why there is none.
pub async fn answer(connection: &mut Connection<'_>, path: &str) -> Result<Option<Answer>, String> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = connection.get(path).await;
        if let Ok(answer) = &answer
            && answer.status == 404
        {
            return Ok(None);
        }
        let is_refusal = answer.as_ref().is_ok_and(|answer| answer.status < 500);
        match judge(answer) {
            Ok(answer) => return Ok(Some(answer)),
            Err(Outcome::Accepted) => {}
            Err(Outcome::Failed(why) | Outcome::Unknown(why))
                if is_refusal || Instant::now() >= give_up =>
            {
                return Err(why);
            }
            Err(_) => {}
        }
        sleep(PAUSE).await;
    }
}

/// Reads the body of an answer.
///
/// # Errors
/// What is wrong with it.
pub fn parse<T: for<'de> Deserialize<'de>>(answer: &Answer) -> Result<T, String> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let text = String::from_utf8_lossy(&answer.body);
        let start: String = text.chars().take(200).collect();
        format!("unreadable: {error}: {start}")
    })
}
