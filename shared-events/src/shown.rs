//! Text from outside, where people see it: names, reasons and whatever else clients and
//! strangers wrote.

use std::borrow::Cow;

/// Whether a character does something where it is shown: control characters, ends of
/// lines and paragraphs, and those that turn the direction of writing.
pub fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text without such characters, save for line feeds: a terminal only shows it.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let does_harm = |character| is_active(character) && character != '\n';
    if text.contains(does_harm) {
        Cow::Owned(text.replace(does_harm, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing() {
        let nasty = "a\u{1b}[2J\r\u{7f}\u{85}\u{9b}31m\u{2028}\u{202e}\u{feff}b\n";
        assert!(!harmless(nasty).contains(|c| is_active(c) && c != '\n'));
        assert!(harmless(nasty).ends_with("b\n"));
        for good in ["", "Tee 茶 é ½ 👩‍👩‍👧", "a\nb"] {
            assert!(matches!(harmless(good), Cow::Borrowed(text) if text == good));
        }
    }
}
