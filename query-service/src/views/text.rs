//! Texts in query parameters.

use service_runtime::format::string_schema;
use service_runtime::format_of;
use service_runtime::parameters::text;

format_of! {
    /// A text without NUL, which PostgreSQL does not accept.
    pub Text: String, string, parse = text,
        schema = string_schema("Drinks").pattern(Some(r"^[^\x00]*$"));

    /// An e-mail address. It contains no space, so a space was a `+`.
    pub EmailText: String, string, parse = |value| text(&value.replace(' ', "+")),
        schema = string_schema("ada@example.com").pattern(Some(r"^[^\x00]*$"));
}
