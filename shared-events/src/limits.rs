//! Bounds of what an event may carry. The command service refuses what lies
//! beyond them, the consumer parks it, and so both databases can store
//! whatever passes.

use crate::Money;

/// Longest product name, in characters.
pub const MAX_NAME_CHARS: usize = 500;

/// Longest category name, in characters. Categories are keys of views: a
/// PostgreSQL index entry ends near 2,700 bytes, and a character has up to 4.
pub const MAX_CATEGORY_CHARS: usize = 255;

/// Most lines of one order.
pub const MAX_ORDER_LINES: usize = 1_000;

/// Highest price: `NUMERIC(16,4)`.
pub const MAX_PRICE: Money = Money::from_units(9_999_999_999_999_999);

/// Highest sum: `NUMERIC(24,4)`.
pub const MAX_SUM: Money = Money::from_units(999_999_999_999_999_999_999_999);

/// Most decimals of an amount of money.
pub const MONEY_DECIMALS: u32 = 4;

/// Whether a text can be a name: not blank, at most `max_chars` long, and
/// without the NUL character, which PostgreSQL cannot store.
pub fn is_name(text: &str, max_chars: usize) -> bool {
    !text.trim().is_empty() && !text.contains('\0') && text.chars().count() <= max_chars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_neither_blank_nor_too_long_and_has_no_nul() {
        assert!(is_name("Tea", 3));
        for text in ["", " \t", "Teas", "T\0"] {
            assert!(!is_name(text, 3), "{text:?}");
        }
    }

    #[test]
    fn the_limit_counts_characters_not_bytes() {
        assert!(is_name("茶茶茶", 3));
    }
}
