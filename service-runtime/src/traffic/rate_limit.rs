//! Rate limits of callers.

use super::settings::TrafficSettings;
use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// A rate limit per caller, with a burst (GCRA). Refused requests do not count. Callers are
/// told apart by their ids, unauthenticated ones by their networks.
#[derive(Debug)]
pub struct RateLimit(DefaultKeyedRateLimiter<Arc<str>>);

impl RateLimit {
    /// The configured limit; none if there is none.
    pub fn of(settings: &TrafficSettings) -> Option<Self> {
        let rate = NonZeroU32::new(settings.rate_limit)?;
        let burst = NonZeroU32::new(settings.rate_limit_burst).unwrap_or(rate);
        Some(Self(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))))
    }

    /// Counts a request of a caller.
    ///
    /// # Errors
    /// The limit is exceeded; the time until a retry is accepted.
    pub fn count(&self, caller: &Arc<str>) -> Result<(), Duration> {
        count(&self.0, caller)
    }

    /// Removes callers without recent requests.
    pub fn remove_idle(&self) {
        remove_idle(&self.0);
    }
}

/// Counts one event.
///
/// # Errors
/// The limit is exceeded; the time until a retry is accepted.
pub(super) fn count<K: Clone + Eq + Hash>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), Duration> {
    limiter.check_key(key).map_err(|not_until| not_until.wait_time_from(limiter.clock().now()))
}

/// Removes keys without recent events.
pub(super) fn remove_idle<K: Clone + Eq + Hash>(limiter: &DefaultKeyedRateLimiter<K>) {
    limiter.retain_recent();
    limiter.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::super::Network;
    use super::*;
    use std::net::Ipv4Addr;

    fn limit(rate_limit: u32, rate_limit_burst: u32) -> Option<RateLimit> {
        let settings = TrafficSettings::without_rate_limit();
        RateLimit::of(&TrafficSettings { rate_limit, rate_limit_burst, ..settings })
    }

    #[test]
    fn each_caller_has_a_separate_limit() {
        let limit = limit(1, 3).unwrap();
        let (ada, eva) = ("ada".into(), "eva".into());
        for _ in 0..3 {
            assert_eq!(limit.count(&ada), Ok(()));
        }
        let wait = limit.count(&ada).unwrap_err();
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(limit.count(&eva), Ok(()));
        let network = Network::of(Ipv4Addr::LOCALHOST.into()).to_string();
        assert_eq!(limit.count(&network.into()), Ok(()));
        assert_eq!(limit.0.len(), 3);
    }

    #[test]
    fn only_idle_callers_are_removed() {
        let fast = limit(1_000_000, 1).unwrap();
        fast.count(&"ada".into()).unwrap();
        while !fast.0.is_empty() {
            fast.remove_idle();
        }
        let slow = limit(1, 9).unwrap();
        slow.count(&"ada".into()).unwrap();
        slow.remove_idle();
        assert_eq!(slow.0.len(), 1);
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        assert!(limit(0, 5).is_none());
    }
}
