//! What became of a request.

use crate::client::{Answer, Lost};
use serde::Deserialize;

/// What became of a request, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect, or was answered as wanted.
    Accepted,
    /// It had no effect: refused, or never sent.
    Failed(String),
    /// It took effect or not; nobody can tell.
    Unknown(String),
}

/// A refusal's body.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: String,
    #[serde(default)]
    detail: String,
}

/// Tells an accepted request's answer from everything else.
///
/// A 5xx is a failure only if it says that the request had no effect; from a
/// proxy, or after a lost commit, it says nothing of the kind.
///
/// # Errors
/// Every other outcome.
pub fn judge(answer: Result<Answer, Lost>) -> Result<Answer, Outcome> {
    let answer = answer.map_err(|lost| match lost {
        Lost::NotSent(why) => Outcome::Failed(why),
        Lost::Unanswered(why) => Outcome::Unknown(why),
    })?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    let why = format!("{} {}", answer.status, problem.error).trim_end().to_owned();
    if answer.status < 500 || problem.detail.contains("no effect") {
        Err(Outcome::Failed(why))
    } else {
        Err(Outcome::Unknown(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &'static str) -> Result<u16, Outcome> {
        let answer = Answer { status, next_cursor: None, body: body.into() };
        judge(Ok(answer)).map(|answer| answer.status)
    }

    #[test]
    fn refusals_had_no_effect() {
        assert_eq!(judged(201, "{}"), Ok(201));
        assert_eq!(
            judged(400, r#"{"error":"Insufficient stock","detail":"Nothing was ordered."}"#),
            Err(Outcome::Failed("400 Insufficient stock".to_owned()))
        );
        let body = r#"{"error":"Service busy","detail":"It had no effect; try again."}"#;
        assert_eq!(judged(503, body), Err(Outcome::Failed("503 Service busy".to_owned())));
        let not_sent = Err(Lost::NotSent("refused".to_owned()));
        assert_eq!(judge(not_sent).err(), Some(Outcome::Failed("refused".to_owned())));
    }

    #[test]
    fn what_no_answer_rules_out_is_unknown() {
        let body = r#"{"error":"Outcome unknown","detail":"wholly or not at all"}"#;
        assert_eq!(judged(503, body), Err(Outcome::Unknown("503 Outcome unknown".to_owned())));
        assert_eq!(judged(502, "<html>"), Err(Outcome::Unknown("502".to_owned())));
        let unanswered = Err(Lost::Unanswered("closed".to_owned()));
        assert_eq!(judge(unanswered).err(), Some(Outcome::Unknown("closed".to_owned())));
    }
}
