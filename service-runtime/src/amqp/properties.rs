//! Checks whether the AMQP library can read the property section of a message.
//!
//! The AMQP library closes the connection when it cannot read a section, and its parser
//! recurses for each level of a nested table. The broker then delivers the message again,
//! so one such message would stop its queue. This check refuses everything that the
//! library refuses; a property test compares the two.
//!
//! A section is two bytes of flags and then the properties whose flag is set, in order:
//! <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 4.2.6.1.

use lapin::types::AMQPType;

/// Maximum nesting of tables and arrays in headers.
const MAX_DEPTH: usize = 16;

/// Estimated memory overhead of a header in the library, in bytes.
const VALUE_OVERHEAD: usize = 96;

/// Additional memory of a non-empty table, as a number of values.
const TABLE_VALUES: usize = 7;

/// The flag of the headers, which come after two strings.
const HEADERS: u16 = 1 << 13;

/// Each property with its type: the first has the highest flag.
const PROPERTIES: [(&str, AMQPType); 14] = [
    ("content_type", AMQPType::ShortString),
    ("content_encoding", AMQPType::ShortString),
    ("headers", AMQPType::FieldTable),
    ("delivery_mode", AMQPType::ShortShortUInt),
    ("priority", AMQPType::ShortShortUInt),
    ("correlation_id", AMQPType::ShortString),
    ("reply_to", AMQPType::ShortString),
    ("expiration", AMQPType::ShortString),
    ("message_id", AMQPType::ShortString),
    ("timestamp", AMQPType::Timestamp),
    ("type", AMQPType::ShortString),
    ("user_id", AMQPType::ShortString),
    ("app_id", AMQPType::ShortString),
    ("cluster_id", AMQPType::ShortString),
];

/// Checks a property section.
///
/// Returns the memory that the library needs for it, in bytes; the error names the
/// property and the reason.
pub fn check(section: &[u8]) -> Result<usize, String> {
    let mut reader = Reader { rest: section, values: 0 };
    let flags = u16::from_be_bytes(reader.array().map_err(|_| "the flags are cut off")?);
    for (index, (name, kind)) in PROPERTIES.into_iter().enumerate() {
        if flags & (1 << (15 - index)) != 0 {
            reader.value(kind, 0).map_err(|wrong| format!("{name} {wrong}"))?;
        }
    }
    if !reader.rest.is_empty() {
        return Err(format!("{} bytes follow the last property", reader.rest.len()));
    }
    Ok(section.len() + reader.values * VALUE_OVERHEAD)
}

/// The part of a property section that is the same for every delivery of a message: all
/// but the headers, to which a quorum queue adds `x-delivery-count`.
pub fn identity(section: &[u8]) -> Vec<u8> {
    let Some((flags, rest)) = section.split_first_chunk().map(|(f, r)| (u16::from_be_bytes(*f), r))
    else {
        return section.to_vec();
    };
    let mut reader = Reader { rest, values: 0 };
    for flag in [1 << 15, 1 << 14] {
        if flags & flag != 0 {
            let [length] = reader.array().unwrap_or_default();
            let _ = reader.take(length.into());
        }
    }
    let before = &rest[..rest.len() - reader.rest.len()];
    if flags & HEADERS != 0 {
        let length = reader.length().unwrap_or_default();
        let _ = reader.take(length);
    }
    [&(flags & !HEADERS).to_be_bytes()[..], before, reader.rest].concat()
}

/// Reads a section or table; `rest` is not yet read. An error continues a sentence that begins
/// with the name of the value.
struct Reader<'a> {
    rest: &'a [u8],
    /// Number of values of tables and arrays so far.
    values: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or("is cut off")?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or("is cut off")?;
        self.rest = rest;
        Ok(*taken)
    }

    fn value(&mut self, kind: AMQPType, depth: usize) -> Result<(), String> {
        let bytes = match kind {
            AMQPType::Void => 0,
            AMQPType::Boolean | AMQPType::ShortShortInt | AMQPType::ShortShortUInt => 1,
            AMQPType::ShortInt | AMQPType::ShortUInt => 2,
            AMQPType::LongInt | AMQPType::LongUInt | AMQPType::Float => 4,
            AMQPType::DecimalValue => 5,
            AMQPType::LongLongInt
            | AMQPType::LongLongUInt
            | AMQPType::Double
            | AMQPType::Timestamp => 8,
            AMQPType::ShortString => return self.short_string().map(|_| ()),
            AMQPType::LongString | AMQPType::ByteArray => self.length()?,
            AMQPType::FieldTable | AMQPType::FieldArray => return self.values(kind, depth),
        };
        self.take(bytes).map(|_| ())
    }

    fn length(&mut self) -> Result<usize, String> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    fn short_string(&mut self) -> Result<&'a str, String> {
        let [length] = self.array()?;
        std::str::from_utf8(self.take(length.into())?).map_err(|_| "is not UTF-8".to_owned())
    }

    /// Reads a table, or an array, which has no names.
    fn values(&mut self, kind: AMQPType, depth: usize) -> Result<(), String> {
        if depth == MAX_DEPTH {
            return Err(format!("has more than {MAX_DEPTH} levels"));
        }
        let length = self.length()?;
        let mut inner = Reader { rest: self.take(length)?, values: 0 };
        while !inner.rest.is_empty() {
            inner.values += 1;
            let name = match kind {
                AMQPType::FieldTable => inner.short_string().map_err(|what| named("", &what))?,
                _ => "",
            };
            let [id] = inner.array().map_err(|what| named(name, &what))?;
            let kind = AMQPType::from_id(id.into())
                .ok_or_else(|| named(name, &format!("has the unknown type {id:#04x}")))?;
            inner.value(kind, depth + 1).map_err(|what| named(name, &what))?;
        }
        self.values += inner.values;
        if kind == AMQPType::FieldTable && inner.values > 0 {
            self.values += TABLE_VALUES;
        }
        Ok(())
    }
}

/// The error text for an entry of a table or an array.
fn named(name: &str, what: &str) -> String {
    if name.is_empty() {
        format!("has an entry whose name or value {what}")
    } else {
        format!("has an entry {name:?} that {what}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn library_reads(section: &[u8]) -> bool {
        lapin::protocol::basic::parse_properties(section).is_ok_and(|(rest, _)| rest.is_empty())
    }

    fn section(flags: u16, content: &[u8]) -> Vec<u8> {
        [&flags.to_be_bytes()[..], content].concat()
    }

    #[test]
    fn the_reason_names_the_property() {
        let cases: [(u16, &[u8], &str); 8] = [
            (1 << 7, b"\x01\xff", "message_id is not UTF-8"),
            (1 << 5, b"\x04M\xfcll", "type is not UTF-8"),
            (1 << 3, b"\x01\xe9", "app_id is not UTF-8"),
            (1 << 7, b"\x05abc", "message_id is cut off"),
            (1 << 13, b"\0\0\0\x03\x01\xe9V", "headers has an entry whose name or value is not"),
            (1 << 13, b"\0\0\0\x03\x01aZ", "headers has an entry \"a\" that has the unknown type"),
            (1 << 13, b"\0\0\0\x03\x01aI", "headers has an entry \"a\" that is cut off"),
            (0, b"x", "1 bytes follow"),
        ];
        for (flags, content, reason) in cases {
            let section = section(flags, content);
            assert!(!library_reads(&section), "{reason}");
            let error = check(&section).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_redelivery_has_the_same_identity() {
        let count = [&b"\x10x-delivery-countl"[..], &1_u64.to_be_bytes()].concat();
        let headers = [&(count.len() as u32).to_be_bytes()[..], &count].concat();
        let first = section(1 << 15 | 1 << 7, b"\x01a\x01\xff");
        let again = [b"\x01a", &headers[..], b"\x01\xff"].concat();
        let again = section(1 << 15 | HEADERS | 1 << 7, &again);
        assert_eq!(identity(&again), identity(&first));
        assert_eq!(identity(&first), first);
        for cut in 0..again.len() {
            identity(&again[..cut]);
        }
    }

    #[test]
    fn nested_tables_are_refused_before_they_overflow_the_stack() {
        let mut table = Vec::new();
        for _ in 0..20_000 {
            let length = u32::try_from(table.len()).unwrap().to_be_bytes();
            table = [b"A", &length[..], &table].concat();
        }
        let headers =
            [&u32::try_from(table.len() + 2).unwrap().to_be_bytes()[..], b"\x01a", &table];
        let error = check(&section(1 << 13, &headers.concat())).unwrap_err();
        assert!(error.contains("more than 16 levels"), "{error}");
    }

    /// Sections that are nearly right, so that many can be read.
    fn sections() -> impl Strategy<Value = Vec<u8>> {
        let string = prop_oneof![
            "[a-zé]{0,3}".prop_map(|text| [&[text.len() as u8][..], text.as_bytes()].concat()),
            proptest::collection::vec(any::<u8>(), 0..4),
        ];
        let scalar = (proptest::sample::select(b"tbBsUuIiLlfdDSTxVZ".to_vec()), 0..10_usize)
            .prop_map(|(kind, bytes)| [&[kind][..], &vec![0; bytes]].concat());
        let value = scalar.prop_recursive(3, 8, 3, |inner| {
            (any::<bool>(), proptest::collection::vec(inner, 0..3)).prop_map(|(table, values)| {
                let name: &[u8] = if table { b"\x01n" } else { b"" };
                let content = values.iter().flat_map(|value| [name, value].concat());
                let content: Vec<u8> = content.collect();
                let length = (content.len() as u32).to_be_bytes();
                [if table { &b"F"[..] } else { b"A" }, &length, &content].concat()
            })
        });
        (any::<u16>(), proptest::collection::vec(string, 0..12), value).prop_map(
            |(flags, strings, value)| {
                let table = [&b"\x01h"[..], &value].concat();
                let table = [&(table.len() as u32).to_be_bytes()[..], &table].concat();
                let mut strings = strings.into_iter();
                let content =
                    (0..14).filter(|index| flags & (1 << (15 - index)) != 0).map(|i| match i {
                        2 => table.clone(),
                        3 | 4 => vec![1],
                        9 => vec![0; 8],
                        _ => strings.next().unwrap_or(vec![0]),
                    });
                section(flags, &content.collect::<Vec<_>>().concat())
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..Default::default() })]

        #[test]
        fn accepts_exactly_what_the_library_reads(section in sections()) {
            prop_assert_eq!(check(&section).is_ok(), library_reads(&section));
        }
    }
}
