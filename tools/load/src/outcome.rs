//! The outcome of a request.

use kit::{Lost, Response};
use serde::Deserialize;

/// The outcome of a request, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect, or its response is as expected.
    Accepted,
    /// It had no effect: it was refused or not sent.
    Failed(String),
    /// It may have taken effect.
    Unknown(String),
}

impl Outcome {
    /// Why the request was not accepted.
    pub fn reason(&self) -> &str {
        match self {
            Self::Accepted => "",
            Self::Failed(why) | Self::Unknown(why) => why,
        }
    }
}

/// The body of an error response.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: String,
    #[serde(default)]
    detail: String,
}

/// Returns the body of a 2xx response, or the outcome of the request. After a 5xx the outcome
/// is unknown, unless the response says that the request had no effect: it may come from a
/// proxy, or from a commit whose result was lost.
pub fn judge(response: Result<Response<'_>, Lost>) -> Result<&[u8], Outcome> {
    let response = response.map_err(|lost| match lost {
        Lost::NotSent(why) => Outcome::Failed(why),
        Lost::Unanswered(why) => Outcome::Unknown(why),
    })?;
    let Response { status, body } = response;
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let why = format!("{status} {}", problem.error).trim_end().to_owned();
    if status < 500 || problem.detail.contains("no effect") {
        Err(Outcome::Failed(why))
    } else {
        Err(Outcome::Unknown(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Result<&[u8], Outcome> {
        judge(Ok(Response { status, body: body.as_bytes() }))
    }

    #[test]
    fn refused_requests_had_no_effect() {
        assert_eq!(judged(201, "{}"), Ok(b"{}".as_slice()));
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
    fn the_outcome_is_unknown_if_no_response_tells_it() {
        let body = r#"{"error":"Outcome unknown","detail":"wholly or not at all"}"#;
        assert_eq!(judged(503, body), Err(Outcome::Unknown("503 Outcome unknown".to_owned())));
        assert_eq!(judged(502, "<html>"), Err(Outcome::Unknown("502".to_owned())));
        let unanswered = Err(Lost::Unanswered("closed".to_owned()));
        assert_eq!(judge(unanswered).err(), Some(Outcome::Unknown("closed".to_owned())));
    }
}
