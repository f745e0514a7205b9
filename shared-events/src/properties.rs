//! Reads a JSON object property by property, so that errors name the property.

use crate::decode_error::Problem;
use crate::limits::is_name;
use crate::{DecodeError, Money, MoneyError};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Constraint of times: ISO 8601 writes these years with four digits.
pub(crate) const YEARS: &str = "must lie in the years 1 to 9999";

/// The properties of an object.
#[derive(Debug, Default)]
pub(crate) struct Properties<'a> {
    values: BTreeMap<Cow<'a, str>, &'a str>,
    /// Names that appear more than once, so that their value is ambiguous.
    repeated: BTreeSet<Cow<'a, str>>,
    /// Path of the object: empty, or ending with a dot.
    path: String,
    /// Whether to refuse forms that only external publishers use.
    pub(crate) strict: bool,
}

impl<'a> Properties<'a> {
    /// Reads the object at `path` (empty at the top).
    pub(crate) fn read(json: &'a str, path: String, strict: bool) -> Result<Self, DecodeError> {
        let mut read = serde_json::Deserializer::from_str(json)
            .deserialize_map(Self::default())
            .map_err(|_| DecodeError::property(path.clone(), "must be an object"))?;
        if !path.is_empty() {
            read.path = path + ".";
        }
        read.strict = strict;
        Ok(read)
    }

    /// The path of a property.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// An error about a property.
    pub(crate) fn refuse(&self, name: &str, problem: impl Into<Problem>) -> DecodeError {
        DecodeError::property(self.path(name), problem)
    }

    /// The JSON of a property; none if it is absent or null.
    pub(crate) fn json(&self, name: &str) -> Result<Option<&'a str>, DecodeError> {
        if self.repeated.contains(name) {
            return Err(self.refuse(name, "appears more than once"));
        }
        Ok(self.values.get(name).copied().filter(|value| *value != "null"))
    }

    /// Whether the property exists, even as null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
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
        self.optional(name, parse)?.ok_or_else(|| self.refuse(name, "is required"))
    }

    /// A whole number in a range.
    pub(crate) fn whole(&self, name: &str, min: i64, max: i64) -> Result<i64, DecodeError> {
        self.required(name, |json| whole(json, min, max, self.strict))
    }

    /// A 32-bit number in a range that may be absent or null.
    pub(crate) fn small(&self, name: &str, min: i32, max: i32) -> Result<Option<i32>, DecodeError> {
        let number =
            self.optional(name, |json| whole(json, i64::from(min), i64::from(max), self.strict))?;
        Ok(number.and_then(|number| i32::try_from(number).ok()))
    }

    /// An id.
    pub(crate) fn id(&self, name: &str) -> Result<i64, DecodeError> {
        self.whole(name, 1, i64::MAX)
    }

    /// An amount of money.
    pub(crate) fn amount(&self, name: &str) -> Result<Option<Money>, DecodeError> {
        self.optional(name, |json| amount(json, self.strict))
    }

    /// A price.
    pub(crate) fn price(&self, name: &str) -> Result<Money, DecodeError> {
        let price = self.amount(name)?.ok_or_else(|| self.refuse(name, "is required"))?;
        if price.is_price() {
            Ok(price)
        } else {
            Err(self.refuse(name, "must be from 0 to 999999999999.9999"))
        }
    }

    /// A name or another short text that may be absent or null.
    pub(crate) fn name(&self, name: &str, max: usize) -> Result<Option<String>, DecodeError> {
        self.optional(name, |json| {
            let text = text(json)?;
            check_name(&text, max)?;
            Ok(text)
        })
    }

    /// A required name or short text.
    pub(crate) fn required_name(&self, name: &str, max: usize) -> Result<String, DecodeError> {
        self.name(name, max)?.ok_or_else(|| self.refuse(name, "is required"))
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
        while let Some(name) = map.next_key::<Name<'de>>()? {
            let value: &RawValue = map.next_value()?;
            if self.values.insert(name.0.clone(), value.get()).is_some() {
                self.repeated.insert(name.0);
            }
        }
        Ok(self)
    }
}

/// A property's name, borrowed if it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The elements of an array.
pub(crate) fn elements(json: &str) -> Result<Vec<&str>, Problem> {
    let elements: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|_| Problem::from("must be an array"))?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

/// A string.
pub(crate) fn text(json: &str) -> Result<String, Problem> {
    serde_json::from_str(json).map_err(|_| "must be a string".into())
}

/// Checks a name; see [`is_name`].
pub(crate) fn check_name(text: &str, max: usize) -> Result<(), Problem> {
    if is_name(text, max) {
        Ok(())
    } else {
        Err(format!("must be 1 to {max} characters, not blank and without control characters")
            .into())
    }
}

/// A whole number, also written as `2.0` if not strict: some languages have no integers.
pub(crate) fn whole(json: &str, min: i64, max: i64, strict: bool) -> Result<i64, Problem> {
    let plain = json.parse().ok();
    let number = plain.or_else(|| {
        let amount = Money::parse(json).ok().filter(|_| !strict)?.as_decimal();
        i64::try_from(amount).ok().filter(|number| amount == (*number).into())
    });
    number.filter(|number| (min..=max).contains(number)).ok_or_else(|| match max {
        i64::MAX => format!("must be a whole number of at least {min}").into(),
        max => format!("must be a whole number from {min} to {max}").into(),
    })
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
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
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
        let properties = Properties::read(json, "items[3]".to_owned(), false).unwrap();
        let error = properties.id("a").unwrap_err().to_string();
        assert_eq!(error, "items[3].a: appears more than once");
        assert_eq!(properties.id("b").unwrap(), 2);
        assert_eq!(properties.id("c").unwrap_err().to_string(), "items[3].c: is required");
        let error = Properties::read("[1]", "items[0]".to_owned(), false).unwrap_err();
        assert_eq!(error.to_string(), "items[0]: must be an object");
    }
}
