//! The id that distinguishes this run's data from all other data in the stack.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Customer ids per millisecond. All ids are below 2^53, so that 64-bit floats represent
/// them exactly.
const CUSTOMERS_PER_MILLISECOND: u32 = 5_000;

/// The start of the run, in milliseconds since 1970, written in base 36.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(u64);

impl RunId {
    /// An id for a run that begins now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or_default())
    }

    /// At most `most` customer ids for a run without users. No other run has them, and
    /// they are far above those that a database has assigned.
    pub fn customer_ids(self, most: u32) -> impl Iterator<Item = i64> {
        let count = most.min(CUSTOMERS_PER_MILLISECOND);
        let first = i64::try_from(self.0 * u64::from(CUSTOMERS_PER_MILLISECOND)).unwrap_or(1);
        (0..count).map(move |number| first + i64::from(number))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::new();
        let mut rest = self.0;
        while rest > 0 || digits.is_empty() {
            digits.push(char::from_digit((rest % 36) as u32, 36).unwrap_or('0'));
            rest /= 36;
        }
        f.write_str(&digits.iter().rev().collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short() {
        assert_eq!(RunId(0).to_string(), "0");
        assert_eq!(RunId(36 * 36 + 35).to_string(), "10z");
        assert_eq!(RunId(1_800_000_000_000).to_string().len(), 8);
    }

    #[test]
    fn two_runs_have_different_customers() {
        let ids = |run: u64| RunId(run).customer_ids(u32::MAX).collect::<Vec<_>>();
        let (first, second) = (ids(1_800_000_000_000), ids(1_800_000_000_001));
        assert!(first.last() < second.first());
        assert!(second.iter().all(|id| *id < 1 << 53));
        assert_eq!(RunId(7).customer_ids(3).count(), 3);
    }
}
