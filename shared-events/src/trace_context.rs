//! W3C trace context, <https://www.w3.org/TR/trace-context/>.

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// A `traceparent` of version 00: it joins a request to the event that it
/// caused and to what was done because of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TraceParent(String);

impl TraceParent {
    /// The text as it stands in headers.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a header's value; none if it is not well-formed, in which case the
    /// specification has the receiver start a trace of its own.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, parent, flags] = parts[..] else { return None };
        let is_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|b| b != b'0');
        (version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2))
            .then(|| Self(text.to_owned()))
    }

    /// Starts a trace.
    pub fn generate() -> Self {
        let trace = Uuid::new_v4().simple().to_string();
        let parent = Uuid::new_v4().simple().to_string();
        Self(format!("00-{trace}-{}-01", &parent[..16]))
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
        assert_eq!(TraceParent::parse(good).unwrap().as_str(), good);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_started_trace_is_well_formed() {
        let started = TraceParent::generate();
        assert_eq!(TraceParent::parse(started.as_str()), Some(started.clone()));
    }
}
