//! Formats and schemas that several services use.

use crate::format::{Message, integer, integer_schema};
use crate::format_of;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::json;
use std::borrow::Cow;
use std::marker::PhantomData;
use utoipa::openapi::RefOr;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{
    AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::{PartialSchema, ToSchema};

format_of! {
    /// An id.
    pub Id: i64, literal, parse = |text| integer(text, 1, i64::MAX), schema = id_schema();

    /// A time in a query.
    pub Time: DateTime<Utc>, string, parse = parse_time, schema = time_schema();
}

fn id_schema() -> ObjectBuilder {
    integer_schema(1, i64::MAX, 1)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .description(Some("A positive integer, written as an integer: neither `1.0` nor `\"1\"`."))
}

fn time_schema() -> AnyOfBuilder {
    let text = |format| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(format)))
    };
    AnyOfBuilder::new()
        .description(Some("A time with a time zone, or a date, which means midnight in UTC."))
        .item(text(KnownFormat::DateTime))
        .item(text(KnownFormat::Date))
        .examples([json!("2026-11-20T13:00:00Z"), json!("2026-11-20")])
}

fn parse_time(text: &str) -> Result<DateTime<Utc>, Message> {
    // A `+` that is not percent-encoded arrives as a space.
    let text = text.replace(' ', "+");
    let date = || text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.to_utc())
        .or_else(|_| date())
        .ok()
        .filter(|time| (1..=9999).contains(&chrono::Datelike::year(time)))
        .ok_or_else(|| "must be a time like 2026-01-31T12:00:00Z, or a date".into())
}

/// An object with at least one of the fields of `T`.
#[derive(Debug)]
pub struct AtLeastOne<T>(PhantomData<T>);

impl<T: PartialSchema> PartialSchema for AtLeastOne<T> {
    fn schema() -> RefOr<Schema> {
        let schema = T::schema();
        let RefOr::T(Schema::Object(mut object)) = schema else { return schema };
        let one: Vec<_> =
            object.properties.keys().map(|name| json!({"required": [name]})).collect();
        object.extensions = Some(Extensions::from_iter([("anyOf", one)]));
        object.into()
    }
}

impl<T: ToSchema> ToSchema for AtLeastOne<T> {
    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_time_zone_and_dates_mean_midnight() {
        let noon: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
        for text in
            ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T13:00:00 01:00"]
        {
            assert_eq!(parse_time(text), Ok(noon), "{text}");
        }
        assert_eq!(parse_time("2026-01-31"), Ok("2026-01-31T00:00:00Z".parse().unwrap()));
        for bad in ["", "yesterday", "2026-01-31T12:00:00", "2026-02-30", "+99999-01-01"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
