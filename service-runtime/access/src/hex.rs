//! Bytes as hexadecimal text.

use std::fmt::Write;

/// Lower-case hexadecimal.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Nothing fails that writes to a text.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a text of lower-case hexadecimal that has just so many.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !is_hex(text) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Whether a text is lower-case hexadecimal.
pub fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded_and_nothing_else_is() {
        assert_eq!(encode(&[0, 0x7f, 0xff]), "007fff");
        assert_eq!(decode("007fff"), Some([0, 0x7f, 0xff]));
        for bad in ["", "007ff", "007fff0", "007FFF", "+07fff", "00 fff", "é07ff"] {
            assert_eq!(decode::<3>(bad), None, "{bad}");
        }
    }
}
