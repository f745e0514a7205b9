//! Query parameters, of which every one is checked.

use crate::problem::{FieldError, Problem};
use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use std::borrow::Cow;
use std::collections::HashMap;

/// The text of refusals of query parameters.
const INVALID: &str = "Invalid query parameters";

/// The parameters of a request, and what is wrong with those read so far.
#[derive(Debug, Default)]
pub struct Parameters {
    given: HashMap<String, String>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.uri)
    }
}

impl Parameters {
    /// The parameters of a request to that address.
    ///
    /// # Errors
    /// 400 if they are unreadable.
    pub fn of(uri: &Uri) -> Result<Self, Problem> {
        let Query(given) = Query::try_from_uri(uri)
            .map_err(|_| Problem::bad_request(INVALID).detail("The query string is unreadable."))?;
        Ok(Self { given, errors: Vec::new() })
    }

    /// Takes a parameter by another name that clients know it by, unless it is
    /// there by its own.
    pub fn also(&mut self, name: &str, other_name: &str) {
        if let Some(value) = self.given.get(other_name).cloned() {
            self.given.entry(name.to_owned()).or_insert(value);
        }
    }

    /// Reads a parameter that may be absent. What is wrong with it is noted,
    /// and told by [`Parameters::check`].
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Cow<'static, str>>,
    ) -> Option<T> {
        match parse(self.given.get(name)?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(name, message);
                None
            }
        }
    }

    /// Reads a parameter that must be there.
    pub fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Cow<'static, str>>,
    ) -> Option<T> {
        if !self.given.contains_key(name) {
            self.refuse(name, "is required");
        }
        self.optional(name, parse)
    }

    /// Refuses all but these, where one that is misspelt and ignored would do harm.
    pub fn refuse_others(&mut self, known: &[&str]) {
        let mut others: Vec<String> =
            self.given.keys().filter(|name| !known.contains(&name.as_str())).cloned().collect();
        others.sort_unstable();
        for other in others {
            self.refuse(&other, format!("is unknown; there are {}", known.join(", ")));
        }
    }

    /// Notes that something is wrong with a parameter.
    pub fn refuse(&mut self, name: &str, message: impl Into<Cow<'static, str>>) {
        self.errors.push(FieldError { field: name.to_owned(), message: message.into() });
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    pub fn check(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::bad_request(INVALID).detail("See errors.").fields(self.errors))
        }
    }
}

/// A text that PostgreSQL can be asked for.
///
/// # Errors
/// What it must be.
pub fn text(text: &str) -> Result<String, Cow<'static, str>> {
    if text.contains('\0') { Err("must not contain NUL".into()) } else { Ok(text.to_owned()) }
}

/// A time, ISO 8601 with a zone, or a date, which means its midnight in UTC.
///
/// # Errors
/// What it must be.
pub fn time(text: &str) -> Result<DateTime<Utc>, Cow<'static, str>> {
    // A `+` that was not percent-encoded arrives as a blank.
    let text = text.replace(' ', "+");
    let date = || text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.to_utc())
        .or_else(|_| date())
        .ok()
        .filter(|time| (1..=9999).contains(&chrono::Datelike::year(time)))
        .ok_or_else(|| "must be a time like 2026-01-31T12:00:00Z, or a date".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_stands_in_but_does_not_win() {
        let given = |pairs: &[(&str, &str)]| {
            let given = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let mut parameters = Parameters { given: given.collect(), errors: Vec::new() };
            parameters.also("userId", "user_id");
            parameters.optional("userId", |text| Ok(text.to_owned()))
        };
        assert_eq!(given(&[("user_id", "1")]).as_deref(), Some("1"));
        assert_eq!(given(&[("user_id", "1"), ("userId", "2")]).as_deref(), Some("2"));
        assert_eq!(given(&[]), None);
    }

    #[test]
    fn times_have_a_zone_and_dates_mean_midnight() {
        let noon: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
        for text in
            ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T13:00:00 01:00"]
        {
            assert_eq!(time(text), Ok(noon), "{text}");
        }
        assert_eq!(time("2026-01-31"), Ok("2026-01-31T00:00:00Z".parse().unwrap()));
        for bad in ["", "yesterday", "2026-01-31T12:00:00", "2026-02-30", "+99999-01-01"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
