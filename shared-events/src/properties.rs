//! The properties of a JSON object. Errors name the property.

use crate::decode_error::Problem;
use crate::limits::{MAX_PRICE, is_name};
use crate::{DecodeError, Money, MoneyError, body};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Constraint of times: ISO 8601 writes these years with four digits.
pub(crate) const YEARS: &str = "must lie in the years 1 to 9999";

/// The properties of an event or of an order line.
#[derive(Debug, Default)]
pub(crate) struct Properties<'a> {
    values: Vec<(Cow<'a, str>, &'a str)>,
    /// The index of the order line; none for the event.
    line: Option<usize>,
    /// Whether to refuse forms that only external publishers use, and missing properties.
    pub(crate) strict: bool,
}

impl<'a> Properties<'a> {
    /// Reads the body of a message.
    pub(crate) fn of_body(
        body: &'a [u8],
        content_encoding: Option<&str>,
        strict: bool,
    ) -> Result<Self, DecodeError> {
        std::str::from_utf8(body).ok().and_then(|json| Self::read(json, strict)).ok_or_else(|| {
            let problem = body::problem(body, content_encoding);
            DecodeError::Body(problem.unwrap_or_else(|| "not a JSON object".to_owned()))
        })
    }

    /// Reads the order line at an index of `items`.
    pub(crate) fn of_line(json: &'a str, index: usize, strict: bool) -> Result<Self, DecodeError> {
        let read = Self::read(json, strict)
            .ok_or_else(|| DecodeError::property(format!("items[{index}]"), "must be an object"))?;
        Ok(Self { line: Some(index), ..read })
    }

    fn read(json: &'a str, strict: bool) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let read = deserializer.deserialize_map(Self::default()).ok()?;
        deserializer.end().ok()?;
        Some(Self { strict, ..read })
    }

    /// An error about a property.
    pub(crate) fn refuse(&self, name: &str, problem: impl Into<Problem>) -> DecodeError {
        let path = self.line.map(|index| format!("items[{index}]."));
        DecodeError::property(path.unwrap_or_default() + name, problem)
    }

    /// The JSON of a property; none if it is absent or null.
    pub(crate) fn json(&self, name: &str) -> Result<Option<&'a str>, DecodeError> {
        let mut found = self.values.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, json)| *json);
        if found.next().is_some() {
            return Err(self.refuse(name, "appears more than once"));
        }
        Ok(value.filter(|json| *json != "null"))
    }

    /// Whether the property exists, even as null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(key, _)| key == name)
    }

    /// A property that may be absent or null.
    pub(crate) fn optional<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, DecodeError> {
        let json = self.json(name)?;
        json.map(|json| parse(json).map_err(|problem| self.refuse(name, problem))).transpose()
    }

    /// A required property.
    pub(crate) fn required<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<T, DecodeError> {
        self.present(name, self.optional(name, parse)?)
    }

    /// The value of a required property.
    pub(crate) fn present<T>(&self, name: &str, value: Option<T>) -> Result<T, DecodeError> {
        value.ok_or_else(|| self.refuse(name, "is required"))
    }

    /// The value of a property that has a default if it is missing in an external event.
    pub(crate) fn or_default<T>(
        &self,
        name: &str,
        value: Option<T>,
        default: impl FnOnce() -> Option<T>,
    ) -> Result<T, DecodeError> {
        self.present(name, value.or_else(|| if self.strict { None } else { default() }))
    }

    /// A whole number in a range.
    pub(crate) fn whole(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>, DecodeError> {
        self.optional(name, |json| whole(json, min, max, self.strict))
    }

    /// A 32-bit number in a range.
    pub(crate) fn small(&self, name: &str, min: i32, max: i32) -> Result<Option<i32>, DecodeError> {
        let number = self.whole(name, min.into(), max.into())?;
        Ok(number.and_then(|number| i32::try_from(number).ok()))
    }

    /// An id.
    pub(crate) fn id(&self, name: &str) -> Result<i64, DecodeError> {
        self.present(name, self.whole(name, 1, i64::MAX)?)
    }

    /// An amount of money.
    pub(crate) fn amount(&self, name: &str) -> Result<Option<Money>, DecodeError> {
        self.optional(name, |json| amount(json, self.strict))
    }

    /// A price.
    pub(crate) fn price(&self, name: &str) -> Result<Option<Money>, DecodeError> {
        self.optional(name, |json| {
            let price = amount(json, self.strict)?;
            let is_price = price.is_price().then_some(price);
            is_price.ok_or_else(|| format!("must be from 0 to {MAX_PRICE}").into())
        })
    }

    /// A name or another short text; see [`is_name`].
    pub(crate) fn name(&self, name: &str, max: usize) -> Result<Option<String>, DecodeError> {
        self.optional(name, |json| {
            let name = text(json)?;
            let is_valid = is_name(&name, max).then_some(name);
            is_valid.ok_or_else(|| {
                format!("must be 1 to {max} characters, not blank and without control characters")
                    .into()
            })
        })
    }

    /// A required name or short text.
    pub(crate) fn required_name(&self, name: &str, max: usize) -> Result<String, DecodeError> {
        self.present(name, self.name(name, max)?)
    }

    /// A time, in UTC if it has no zone.
    pub(crate) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, DecodeError> {
        self.optional(name, |json| time(&text(json)?, self.strict))
    }
}

impl<'de> Visitor<'de> for Properties<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        self.values.reserve(16);
        while let Some(name) = map.next_key::<Name<'de>>()? {
            let value: &RawValue = map.next_value()?;
            self.values.push((name.0, value.get()));
        }
        Ok(self)
    }
}

/// A property's name, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A string.
pub(crate) fn text(json: &str) -> Result<String, Problem> {
    serde_json::from_str(json).map_err(|_| "must be a string".into())
}

/// A whole number, also written as `2.0` if not strict: some languages have no integers.
fn whole(json: &str, min: i64, max: i64, strict: bool) -> Result<i64, Problem> {
    let plain = json.parse().ok();
    let number = plain.or_else(|| {
        let amount = Money::parse(json).ok().filter(|_| !strict)?.as_decimal();
        i64::try_from(amount).ok().filter(|number| amount == (*number).into())
    });
    let is_valid = |number: &i64| (min..=max).contains(number);
    number
        .filter(is_valid)
        .ok_or_else(|| format!("must be a whole number from {min} to {max}").into())
}

fn amount(json: &str, strict: bool) -> Result<Money, Problem> {
    let result = if json.starts_with('"') && !strict {
        Money::parse(&text(json)?)
    } else {
        Money::parse(json)
    };
    result.map_err(|error| match error {
        MoneyError::NotANumber if !strict => "must be a number or a decimal string".into(),
        error => error.to_string().into(),
    })
}

fn time(text: &str, strict: bool) -> Result<DateTime<Utc>, Problem> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let wrong = || Problem::from("must be an ISO 8601 date and time, as 2026-01-01T10:30:00Z");
    if strict {
        return Err(wrong());
    }
    let text = text.replacen([' ', 't'], "T", 1);
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(&text, format) {
            return Ok(time.and_utc());
        }
        if let Ok(time) = DateTime::parse_from_str(&text, &format!("{format}%#z")) {
            return Ok(time.to_utc());
        }
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_zone_is_utc_and_all_iso_8601_forms_are_read() {
        for text in [
            "2026-01-01T10:30:00Z",
            "2026-01-01T10:30:00",
            "2026-01-01 10:30:00",
            "2026-01-01T10:30",
            "2026-01-01T10:30Z",
            "2026-01-01t10:30:00.000z",
            "2026-01-01T12:30:00+02:00",
            "2026-01-01T12:30:00.0000000+0200",
            "2026-01-01 12:30:00+02",
        ] {
            assert_eq!(time(text, false).unwrap().to_rfc3339(), "2026-01-01T10:30:00+00:00");
        }
        assert!(time("2026-01-01T10:30:00", true).is_err());
        for text in ["", "2026-01-01", "01/02/2026 10:30", "1767263400", "2026-13-01T10:30:00"] {
            assert!(time(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zero() {
        assert_eq!(whole("2.0", 1, 9, false), Ok(2));
        assert_eq!(whole("9223372036854775807", 1, i64::MAX, false), Ok(i64::MAX));
        for (json, strict) in [("2.0", true), ("2.5", false), ("\"2\"", false), ("10", false)] {
            assert!(whole(json, 1, 9, strict).is_err(), "{json}");
        }
    }

    #[test]
    fn a_repeated_name_is_refused_only_if_its_value_is_used() {
        let json = r#"{"a":1,"b":2,"\u0061":3,"c":null}"#;
        let properties = Properties::of_line(json, 3, false).unwrap();
        let error = properties.id("a").unwrap_err().to_string();
        assert_eq!(error, "items[3].a: appears more than once");
        assert_eq!(properties.id("b").unwrap(), 2);
        assert_eq!(properties.id("c").unwrap_err().to_string(), "items[3].c: is required");
        let error = Properties::of_line("[1]", 0, false).unwrap_err();
        assert_eq!(error.to_string(), "items[0]: must be an object");
    }
}
