//! The outcome of a request.

use kit::{Lost, Response};
use serde::Deserialize;
use thiserror::Error;

/// Why a request was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub enum NotAccepted {
    /// It had no effect: it was refused or not sent.
    Failed(String),
    /// It may have taken effect.
    Unknown(String),
}

/// The body of an error response.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: String,
    #[serde(default)]
    detail: String,
}

/// Returns the body of a 2xx response, or why the request was not accepted. After a 5xx the outcome
/// is unknown, unless the response says that the request had no effect: it may come from a
/// proxy, or from a commit whose result was lost.
pub fn judge(response: Result<Response<'_>, Lost>) -> Result<&[u8], NotAccepted> {
    let response = response.map_err(|lost| match lost {
        Lost::NotSent(why) => NotAccepted::Failed(why),
        Lost::Unanswered(why) => NotAccepted::Unknown(why),
    })?;
    let Response { status, body } = response;
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let why = format!("{status} {}", problem.error).trim_end().to_owned();
    if status < 500 || problem.detail.contains("no effect") {
        Err(NotAccepted::Failed(why))
    } else {
        Err(NotAccepted::Unknown(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Result<&[u8], NotAccepted> {
        judge(Ok(Response { status, body: body.as_bytes() }))
    }

    #[test]
    fn refused_requests_had_no_effect() {
        assert_eq!(judged(201, "{}"), Ok(b"{}".as_slice()));
        assert_eq!(
            judged(400, r#"{"error":"Insufficient stock","detail":"Nothing was ordered."}"#),
            Err(NotAccepted::Failed("400 Insufficient stock".to_owned()))
        );
        let body = r#"{"error":"Service busy","detail":"It had no effect; try again."}"#;
        assert_eq!(judged(503, body), Err(NotAccepted::Failed("503 Service busy".to_owned())));
        let not_sent = Err(Lost::NotSent("refused".to_owned()));
        assert_eq!(judge(not_sent).err(), Some(NotAccepted::Failed("refused".to_owned())));
    }

    #[test]
    fn the_outcome_is_unknown_if_no_response_tells_it() {
        let body = r#"{"error":"Outcome unknown","detail":"wholly or not at all"}"#;
        assert_eq!(judged(503, body), Err(NotAccepted::Unknown("503 Outcome unknown".to_owned())));
        assert_eq!(judged(502, "<html>"), Err(NotAccepted::Unknown("502".to_owned())));
        let unanswered = Err(Lost::Unanswered("closed".to_owned()));
        assert_eq!(judge(unanswered).err(), Some(NotAccepted::Unknown("closed".to_owned())));
    }
}
