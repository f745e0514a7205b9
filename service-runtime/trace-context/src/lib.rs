//! W3C trace context, <https://www.w3.org/TR/trace-context/>.

use serde::{Serialize, Serializer};
use std::fmt;
use uuid::Uuid;

/// The flag of a trace that its caller records.
const SAMPLED: u8 = 1;

/// A `traceparent` of version 00. It connects a request to the messages and spans that it
/// causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

impl TraceParent {
    /// The context of a span in a trace. Neither id is zero.
    pub const fn new(trace_id: u128, parent_id: u64, flags: u8) -> Self {
        Self { trace_id, parent_id, flags }
    }

    /// Parses a header. Returns none if it is malformed; by the specification the receiver
    /// then starts a new trace.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let mut next = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(part)
        };
        let version = next(2)?;
        let trace_id = u128::from_str_radix(next(32)?, 16).ok()?;
        let parent_id = u64::from_str_radix(next(16)?, 16).ok()?;
        let flags = u8::from_str_radix(next(2)?, 16).ok()?;
        let is_complete = version == "00" && parts.next().is_none();
        let is_valid = is_complete && trace_id != 0 && parent_id != 0;
        is_valid.then_some(Self { trace_id, parent_id, flags })
    }

    /// Starts a trace that is not recorded.
    pub fn generate() -> Self {
        let parent_id = Uuid::new_v4().as_u64_pair().1;
        Self { trace_id: Uuid::new_v4().as_u128(), parent_id, flags: 0 }
    }

    /// The id of the trace.
    pub const fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The id of the parent span.
    pub const fn parent_id(&self) -> u64 {
        self.parent_id
    }

    /// The trace flags.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether the trace is recorded.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceParent {
    /// The header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_headers_are_rejected() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceParent::parse(valid).unwrap().to_string(), valid);
        for malformed in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn a_generated_trace_is_valid_and_not_sampled() {
        let generated = TraceParent::generate();
        assert_eq!(TraceParent::parse(&generated.to_string()), Some(generated));
        assert!(!generated.is_sampled());
    }
}
