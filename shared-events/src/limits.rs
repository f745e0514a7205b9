//! Limits of event properties. The command service refuses values beyond them, and the consumer
//! stores such events as dead letters. So both databases can store every accepted value.

use crate::Money;

/// Longest name of a product or a user, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// Longest category name, in characters. Categories are keys of views: an index entry of
/// PostgreSQL is limited to about 2,700 bytes, and a character has up to 4.
pub const MAX_CATEGORY_CHARS: usize = 100;

/// Longest e-mail address, in characters: RFC 5321 limits a path to 256 with its angle brackets.
pub const MAX_EMAIL_CHARS: usize = 254;

/// Longest part of a postal address, in characters.
pub const MAX_ADDRESS_CHARS: usize = 200;

/// Longest reason of a change of an order, in characters.
pub const MAX_REASON_CHARS: usize = 200;

/// Maximum number of lines of an order: wholesale orders have over 1,100. With names and categories
/// of the longest, in characters of 4 bytes, its event is 2.8 MB.
pub const MAX_ORDER_LINES: usize = 2_000;

/// Largest event, in bytes of its JSON: larger than our own events can be. RabbitMQ 4 refuses
/// messages beyond 16 MiB.
pub const MAX_EVENT_BYTES: usize = 4 << 20;

/// Highest aggregate version. A version that no counter can reach would fix the state of its
/// aggregate for ever.
pub const MAX_AGGREGATE_VERSION: i64 = 1 << 53;

/// Highest price: `NUMERIC(16,4)`.
pub const MAX_PRICE: Money = Money::from_units(9_999_999_999_999_999);

/// Highest total of an order. Views add up orders of many customers in
/// `NUMERIC(24,4)`, which has space for 10^8 of the largest orders.
pub const MAX_ORDER_TOTAL: Money = MAX_PRICE;

/// Highest sum: `NUMERIC(24,4)`.
pub const MAX_SUM: Money = Money::from_units(999_999_999_999_999_999_999_999);

/// Maximum number of decimals of an amount of money.
pub const MONEY_DECIMALS: u32 = 4;

/// Whether a text is a valid name: not blank, at most `max_chars` long, and without control
/// characters, of which PostgreSQL cannot store NUL.
pub fn is_name(text: &str, max_chars: usize) -> bool {
    !text.trim().is_empty()
        && !text.chars().any(char::is_control)
        && text.chars().count() <= max_chars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_or_long_text_or_one_with_control_characters_is_not_a_name() {
        assert!(is_name("Tea", 3));
        // The limit counts characters, not bytes.
        assert!(is_name("茶茶茶", 3));
        for text in ["", "  ", "Teas", "T\0", "T\n"] {
            assert!(!is_name(text, 3), "{text:?}");
        }
    }
}
