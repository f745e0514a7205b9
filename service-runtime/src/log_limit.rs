//! Limits log lines that every request could cause.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Interval in which a key has at most one line.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// Admits one line per key and [`INTERVAL`], and counts suppressed ones. Every key is
/// kept, so there must be few.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<BTreeMap<String, Line>>);

#[derive(Debug)]
struct Line {
    logged: Instant,
    suppressed: u64,
}

impl LogLimit {
    /// A limit without lines so far.
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// The number of lines of this key suppressed since the last one; none if this line
    /// is suppressed.
    pub fn admit(&self, key: &str) -> Option<u64> {
        self.admit_at(key, Instant::now())
    }

    fn admit_at(&self, key: &str, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock();
        let Some(line) = lines.get_mut(key) else {
            lines.insert(key.to_owned(), Line { logged: now, suppressed: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(line.logged) < INTERVAL {
            line.suppressed += 1;
            return None;
        }
        line.logged = now;
        Some(std::mem::take(&mut line.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_key_and_interval_says_how_many_were_suppressed() {
        let limit = LogLimit::new();
        let start = Instant::now();
        assert_eq!(limit.admit_at("53100", start), Some(0));
        for _ in 0..9_000 {
            assert_eq!(limit.admit_at("53100", start), None);
        }
        assert_eq!(limit.admit_at("42501", start), Some(0));
        assert_eq!(limit.admit_at("53100", start + INTERVAL), Some(9_000));
        assert_eq!(limit.admit_at("53100", start + 2 * INTERVAL), Some(0));
    }
}
