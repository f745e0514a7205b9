//! Texts that name something.

use service_runtime::json_body::text;
use shared_events::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, is_name};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Not all blank, no control characters.
const PATTERN: &str = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$";

/// A name of a product or a user or a part of an address, as documents have it.
#[derive(Debug)]
pub struct Name;

/// A name of a category, as documents have it.
#[derive(Debug)]
pub struct CategoryName;

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        schema(MAX_NAME_CHARS, "Ada Lovelace")
    }
}

impl ToSchema for Name {}

impl PartialSchema for CategoryName {
    fn schema() -> RefOr<Schema> {
        schema(MAX_CATEGORY_CHARS, "Drinks")
    }
}

impl ToSchema for CategoryName {}

fn schema(max_chars: usize, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Not all blank, without control characters."))
        .min_length(Some(1))
        .max_length(Some(max_chars))
        .pattern(Some(PATTERN))
        .examples([example])
        .into()
}

/// Reads a name of at most `max_chars` characters.
///
/// # Errors
/// What it must be.
pub fn name(value: &str, max_chars: usize) -> Result<String, Cow<'static, str>> {
    let name = text(value)?;
    if is_name(&name, max_chars) {
        Ok(name)
    } else {
        Err(format!(
            "must be 1 to {max_chars} characters, not all blank, without control characters"
        )
        .into())
    }
}
