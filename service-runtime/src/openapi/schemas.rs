//! Schemas that several rooms need.

use serde_json::json;
use std::borrow::Cow;
use std::marker::PhantomData;
use utoipa::openapi::RefOr;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{
    AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// An id, as documents have it.
#[derive(Debug)]
pub struct Id;

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .description(Some("A whole number from 1, written as one: neither `1.0` nor `\"1\"`."))
            .minimum(Some(1))
            .maximum(Some(i64::MAX as usize))
            .examples([json!(1)])
            .into()
    }
}

impl ToSchema for Id {}

/// A time in a query, as documents have it.
#[derive(Debug)]
pub struct Time;

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let text = |format| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(format)))
        };
        AnyOfBuilder::new()
            .description(Some("A time with a zone, or a date, which means its midnight in UTC."))
            .item(text(KnownFormat::DateTime))
            .item(text(KnownFormat::Date))
            .examples([json!("2026-11-20T13:00:00Z"), json!("2026-11-20")])
            .into()
    }
}

impl ToSchema for Time {}

/// An object of which at least one member must be there: the members of `T`.
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
