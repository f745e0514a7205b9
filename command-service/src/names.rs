//! Texts that name something.

use service_runtime::json_body::text;
use shared_events::limits::is_name;
use std::borrow::Cow;

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
