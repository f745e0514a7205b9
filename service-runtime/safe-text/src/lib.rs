//! Text from clients and other programs, made safe to show in a terminal or a log.

use std::borrow::Cow;

/// Whether a terminal or viewer interprets a character instead of showing it: control
/// characters, line and paragraph separators, and marks that change the direction of
/// text.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Replaces unsafe characters except line feeds by U+FFFD.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if text.contains(is_unsafe_in_text) {
        Cow::Owned(text.replace(is_unsafe_in_text, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Escapes unsafe characters except line feeds in serialised JSON. Serialisers escape only
/// those below U+0020.
pub fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unsafe_in_text(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn is_unsafe_in_text(character: char) -> bool {
    is_unsafe(character) && character != '\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSAFE: &str = "a\u{1b}[2J\r\u{7f}\u{85}\u{9b}31m\u{2028}\u{202e}\u{feff}b\n";

    #[test]
    fn sanitized_text_has_no_unsafe_characters() {
        assert!(!sanitize(UNSAFE).contains(is_unsafe_in_text));
        assert!(sanitize(UNSAFE).ends_with("b\n"));
        for safe in ["", "Tee 茶 é ½ 👩‍👩‍👧", "a\nb"] {
            assert!(matches!(sanitize(safe), Cow::Borrowed(text) if text == safe));
        }
    }

    #[test]
    fn escaped_json_is_json_of_the_same_value() {
        assert_eq!(escape_json("\"a\u{7f}\u{2028}b\"\n"), "\"a\\u007f\\u2028b\"\n");
    }
}
