//! Why a request is not let in.

use crate::problem::Problem;
use access::Role;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It brings no credential.
    Missing,
    /// It brings one that is not accepted, and why. No secret is told.
    Bad(&'static str),
    /// It brings two.
    Ambiguous,
    /// Its caller has not that role.
    Forbidden(Role),
    /// Too many came before it; after that time one is let in.
    TooMany(Duration),
    /// Too many bad credentials came from its address.
    TooManyBad(Duration),
    /// A web page on the operator's machine has sent it.
    WebPage,
}

impl Refusal {
    /// The status code.
    #[cfg(test)]
    pub fn status(self) -> u16 {
        self.problem().status().as_u16()
    }

    fn problem(self) -> Problem {
        match self {
            Self::Missing => Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized").detail(
                "Send an API key in the header X-Api-Key, or a key or a token in Authorization, \
                 after the word Bearer.",
            ),
            Self::Bad(why) => Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized").detail(why),
            Self::Ambiguous => Problem::bad_request("Ambiguous credentials")
                .detail("There are two credentials. Send one, in one header."),
            Self::Forbidden(role) => Problem::new(StatusCode::FORBIDDEN, "Forbidden")
                .detail(format!("This needs the role {role}, which the credential has not.")),
            Self::TooMany(wait) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
                .retry_after(whole_seconds(wait))
                .detail("This one had no effect. Come back after the seconds of Retry-After."),
            Self::TooManyBad(wait) => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
                    .retry_after(whole_seconds(wait))
                    .detail("Too many bad credentials have come from this address.")
            }
            Self::WebPage => Problem::new(StatusCode::FORBIDDEN, "Forbidden")
                .detail("Web pages may not call this port, nor may it be called by another name."),
        }
    }

    /// What the client is told about credentials, as in RFC 6750, section 3.
    fn challenge(self) -> Option<HeaderValue> {
        let text = match self {
            Self::Missing => "Bearer".to_owned(),
            Self::Bad(why) => {
                format!("Bearer error=\"invalid_token\", error_description=\"{why}\"")
            }
            Self::Forbidden(role) => {
                format!("Bearer error=\"insufficient_scope\", scope=\"{role}\"")
            }
            Self::Ambiguous | Self::TooMany(_) | Self::TooManyBad(_) | Self::WebPage => {
                return None;
            }
        };
        HeaderValue::try_from(text).ok()
    }
}

/// Rounded up: whoever comes back then is not too early. Never 0.
fn whole_seconds(wait: Duration) -> u32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        let challenge = self.challenge().map(|challenge| (header::WWW_AUTHENTICATE, challenge));
        response.headers_mut().extend(challenge);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_as_told_is_not_too_early() {
        for (wait, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds, "{wait} ms");
        }
    }
}
