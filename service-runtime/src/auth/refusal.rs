//! Why a request is refused before its handler.

use crate::problem::Problem;
use access::Role;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Why a request is refused before its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credential.
    Missing,
    /// An invalid credential, and why. The text contains no secret.
    Bad(&'static str),
    /// Two credentials.
    Ambiguous,
    /// The caller does not have the role.
    Forbidden(Role),
    /// The rate limit is exceeded; retry after this time.
    TooMany(Duration),
    /// Too many invalid credentials from the address.
    TooManyBad(Duration),
    /// A web page sent the request to an operations port.
    WebPage,
}

impl Refusal {
    /// The response without the header WWW-Authenticate.
    pub fn problem(self) -> Problem {
        let unauthorized = || Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized");
        let forbidden = || Problem::new(StatusCode::FORBIDDEN, "Forbidden");
        let too_many = |wait| {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
            problem.retry_after(whole_seconds(wait))
        };
        match self {
            Self::Missing => unauthorized().detail(
                "Send an API key in the header X-Api-Key, or an API key or a token in the header \
                 Authorization: Bearer <credential>.",
            ),
            Self::Bad(reason) => unauthorized().detail(reason),
            Self::Ambiguous => Problem::bad_request("Ambiguous credentials")
                .detail("The request has two credentials. Send one, in one header."),
            Self::Forbidden(role) => forbidden().detail(format!("Requires role `{role}`.")),
            Self::TooMany(wait) => too_many(wait)
                .detail("The request had no effect. Retry after the seconds in Retry-After."),
            Self::TooManyBad(wait) => {
                too_many(wait).detail("Too many invalid credentials from this address.")
            }
            Self::WebPage => forbidden()
                .detail("This port accepts no requests from web pages, and no public host name."),
        }
    }

    /// The header WWW-Authenticate: RFC 6750, section 3.
    fn challenge(self) -> Option<HeaderValue> {
        let text = match self {
            Self::Missing => "Bearer".to_owned(),
            Self::Bad(reason) => {
                format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"")
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

/// Rounded up, so that a retry is not too early. Never 0.
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
    fn a_retry_after_the_given_seconds_is_not_too_early() {
        for (wait, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds, "{wait} ms");
        }
    }
}
