//! W3C trace context, <https://www.w3.org/TR/trace-context/>.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use uuid::Uuid;

/// The flag by which a caller says that it records the trace.
const SAMPLED: u8 = 1;

/// A `traceparent` of version 00: it joins a request to the event that it
/// caused and to what was done because of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceParent {
    /// Of a trace and a span in it, neither of which is zero.
    pub const fn new(trace: u128, span: u64, flags: u8) -> Self {
        Self { trace, span, flags }
    }

    /// Reads a header's value; none if it is not well-formed, in which case the
    /// specification has the receiver start a trace of its own.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut next = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(part)
        };
        let version = next(2)?;
        let trace = u128::from_str_radix(next(32)?, 16).ok()?;
        let span = u64::from_str_radix(next(16)?, 16).ok()?;
        let flags = u8::from_str_radix(next(2)?, 16).ok()?;
        let is_whole = version == "00" && parts.next().is_none();
        (is_whole && trace != 0 && span != 0).then_some(Self { trace, span, flags })
    }

    /// Starts a trace that nobody records.
    pub fn generate() -> Self {
        let span = Uuid::new_v4().as_u64_pair().1;
        Self { trace: Uuid::new_v4().as_u128(), span, flags: 0 }
    }

    /// The trace.
    pub const fn trace(&self) -> u128 {
        self.trace
    }

    /// The span in it that caused what follows.
    pub const fn span(&self) -> u64 {
        self.span
    }

    /// All flags.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the trace is recorded.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceParent {
    /// As it stands in headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A malformed trace context is dropped, not refused: it is no part of what
/// the event says.
pub(crate) fn lenient<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TraceParent>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(TraceParent::parse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_contexts_are_taken_over() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceParent::parse(good).unwrap().to_string(), good);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_started_trace_is_well_formed() {
        let started = TraceParent::generate();
        assert_eq!(TraceParent::parse(&started.to_string()), Some(started));
        assert!(!started.is_sampled());
    }
}
