//! Describes why a message body is not a JSON object.

use serde_json::value::RawValue;

/// First bytes of bodies that are not JSON, and what they mean.
const SIGNATURES: [(&[u8], &str); 7] = [
    (&[0x1f, 0x8b], "compressed (its first bytes are those of gzip)"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "compressed (its first bytes are those of zstd)"),
    (&[0x78, 0x9c], "compressed (its first bytes are those of zlib)"),
    (&[0x78, 0xda], "compressed (its first bytes are those of zlib)"),
    (&[0xef, 0xbb, 0xbf], "starts with a byte order mark"),
    (&[0xff, 0xfe], "UTF-16: starts with a byte order mark of it; must be UTF-8"),
    (&[0xfe, 0xff], "UTF-16: starts with a byte order mark of it; must be UTF-8"),
];

/// Values of `content_encoding` that mean compression. Some clients put `utf-8` there.
const COMPRESSIONS: [&str; 6] = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress"];

/// Describes why a body is not a JSON object; none if it is one.
pub(crate) fn problem(body: &[u8], content_encoding: Option<&str>) -> Option<String> {
    let problem = match std::str::from_utf8(body) {
        Ok("") => return Some("the body is empty".to_owned()),
        Ok(text) => match serde_json::from_str(text) {
            Ok(value) => return not_an_object(value),
            Err(error) => format!("not JSON: {error}"),
        },
        Err(error) => {
            format!("not UTF-8: byte {} is not part of a character", error.valid_up_to() + 1)
        }
    };
    Some(unreadable(body, content_encoding).unwrap_or(problem))
}

/// Names the type of a JSON value; none if it is an object.
fn not_an_object(value: &RawValue) -> Option<String> {
    let json = value.get();
    let kind = match json.as_bytes().first()? {
        b'{' => return None,
        b'[' => "an array",
        b'"' => "a string",
        _ => json.get(..20).unwrap_or(json),
    };
    Some(format!("not a JSON object, but {kind}"))
}

/// Describes a body that is not JSON by its first bytes and the message's
/// `content_encoding`.
fn unreadable(body: &[u8], content_encoding: Option<&str>) -> Option<String> {
    let encoding = content_encoding.map(str::to_ascii_lowercase);
    if let Some(encoding) = encoding.filter(|name| COMPRESSIONS.contains(&name.as_str())) {
        return Some(format!("compressed (content_encoding {encoding})"));
    }
    if let Some((_, problem)) = SIGNATURES.iter().find(|(first, _)| body.starts_with(first)) {
        return Some((*problem).to_owned());
    }
    matches!(body, [0, _, ..] | [_, 0, ..]).then(|| "UTF-16; must be UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_named() {
        let utf16: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let gzip = [0x1f, 0x8b, 8, 0, 0, 0];
        for (body, encoding, expected) in [
            (&b""[..], None, "the body is empty"),
            (&gzip, Some("GZIP"), "compressed (content_encoding gzip)"),
            (&gzip, None, "compressed (its first bytes are those of gzip)"),
            (&[0x0b, 0x02, 0x80], Some("br"), "compressed (content_encoding br)"),
            (b"\xef\xbb\xbf{}", None, "starts with a byte order mark"),
            (b"\xff\xfe{\0}\0", None, "UTF-16: starts with a byte order mark of it"),
            (&utf16, None, "UTF-16; must be UTF-8"),
            (b"{\"name\":\"caf\xe9\"}", None, "not UTF-8: byte 13 is"),
            (b"{\"a\":", Some("utf-8"), "not JSON: EOF"),
            (b"[{}]", None, "not a JSON object, but an array"),
            (b"\"{}\"", None, "not a JSON object, but a string"),
            (b" null", None, "not a JSON object, but null"),
        ] {
            let problem = problem(body, encoding).unwrap();
            assert!(problem.starts_with(expected), "{problem}");
        }
        assert_eq!(problem(b" {} ", Some("gzip")), None);
    }
}
