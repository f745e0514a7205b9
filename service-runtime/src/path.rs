//! Variable segments of a request path.

use crate::problem::{FieldError, Problem};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

/// The variable segment of a path, percent-decoded.
#[derive(Debug)]
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Path::from_request_parts(parts, state).await.map(|Path(segment)| Self(segment)).map_err(
            |_| Problem::bad_request("Invalid path").detail("The path is not valid UTF-8."),
        )
    }
}

impl Segment {
    /// Parses the segment as an id, a positive integer. Leading zeros are refused: an
    /// idempotency key is scoped to the path, so an id must have one spelling.
    ///
    /// # Errors
    /// 400 with the text `error`.
    pub fn id(&self, error: &'static str) -> Result<i64, Problem> {
        let is_number = !self.0.starts_with('0') && self.0.bytes().all(|b| b.is_ascii_digit());
        match self.0.parse() {
            Ok(id) if is_number && id >= 1 => Ok(id),
            _ => {
                let message = format!("must be an integer from 1 to {}", i64::MAX);
                Err(Problem::bad_request(error)
                    .detail("The id in the path is not valid.")
                    .fields(vec![FieldError { field: "id".to_owned(), message: message.into() }]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_positive_integers() {
        let id = |text: &str| Segment(text.to_owned()).id("Invalid id").ok();
        assert_eq!(id("1"), Some(1));
        assert_eq!(id("9223372036854775807"), Some(i64::MAX));
        assert_eq!(id("9223372036854775808"), None);
        for bad in ["", "0", "-1", "+1", "1.0", "abc", "null", " 1", "01", "+0", "0108"] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
    }
}
