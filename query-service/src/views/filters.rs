//! Filters that several lists have.

use chrono::{DateTime, Utc};
use service_runtime::format::string_schema;
use service_runtime::openapi::Time;
use service_runtime::parameters::{Parameters, text};
use service_runtime::{format_of, parameters};

format_of! {
    /// A text without NUL, which PostgreSQL does not accept.
    pub Text: String, string, parse = text,
        schema = string_schema("Drinks").pattern(Some(r"^[^\x00]*$"));

    /// An e-mail address. It contains no space, so a space was a `+`.
    pub EmailText: String, string, parse = |value| text(&value.replace(' ', "+")),
        schema = string_schema("ada@example.com").pattern(Some(r"^[^\x00]*$"));
}

parameters! {
    /// The creation time of the elements of a list.
    pub struct Created {
        /// Only elements created at this time or later.
        pub created_from: Option<Time> = "2026-11-01",
        /// Only elements created before this time, which is not before `createdFrom`.
        pub created_to: Option<Time> = "2026-12-01",
    }
    validate check_order(created_from, created_to);
}

fn check_order(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    parameters: &mut Parameters,
) {
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        parameters.error("createdTo", "must not be before createdFrom");
    }
}
