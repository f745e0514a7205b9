//! How often a caller may come.

use super::addresses::Network;
use super::settings::TrafficSettings;
use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// How often a caller may come: so many times in a second, and so many at once after a
/// pause (GCRA). Requests that are refused do not count.
#[derive(Debug)]
pub struct RateLimit(DefaultKeyedRateLimiter<Who>);

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Caller(Arc<str>),
    Network(Network),
}

impl RateLimit {
    /// As it is set; none if there is no limit.
    pub fn of(settings: &TrafficSettings) -> Option<Self> {
        let rate = NonZeroU32::new(settings.rate_limit)?;
        let burst = NonZeroU32::new(settings.rate_limit_burst).unwrap_or(rate);
        Some(Self(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))))
    }

    /// Counts a request of a caller by id.
    ///
    /// # Errors
    /// After how long it is let in, if it is not now.
    pub fn count_caller(&self, id: &Arc<str>) -> Result<(), Duration> {
        count(&self.0, &Who::Caller(id.clone()))
    }

    /// Counts a request of somebody who is not known.
    ///
    /// # Errors
    /// After how long it is let in, if it is not now.
    pub fn count_network(&self, network: Network) -> Result<(), Duration> {
        count(&self.0, &Who::Network(network))
    }

    /// Forgets those who may come as often as anybody new.
    pub fn forget_the_idle(&self) {
        tidy(&self.0);
    }
}

/// Counts one more; says how long to wait if it is one too many.
pub(super) fn count<K: Clone + Eq + Hash>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), Duration> {
    limiter.check_key(key).map_err(|not_until| not_until.wait_time_from(limiter.clock().now()))
}

/// Forgets keys that are as good as new.
pub(super) fn tidy<K: Clone + Eq + Hash>(limiter: &DefaultKeyedRateLimiter<K>) {
    limiter.retain_recent();
    limiter.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn limit(rate_limit: u32, rate_limit_burst: u32) -> Option<RateLimit> {
        let (trusted_proxies, connections_per_address) = (Default::default(), 1);
        RateLimit::of(&TrafficSettings {
            rate_limit,
            rate_limit_burst,
            trusted_proxies,
            connections_per_address,
        })
    }

    #[test]
    fn each_caller_has_a_burst_of_their_own() {
        let limit = limit(1, 3).unwrap();
        let (ada, eva) = ("ada".into(), "eva".into());
        for _ in 0..3 {
            assert_eq!(limit.count_caller(&ada), Ok(()));
        }
        let wait = limit.count_caller(&ada).unwrap_err();
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(limit.count_caller(&eva), Ok(()));
        let network = Network::of(Ipv4Addr::LOCALHOST.into());
        assert_eq!(limit.count_network(network), Ok(()));
        assert_eq!(limit.0.len(), 3);
    }

    #[test]
    fn the_idle_are_forgotten_and_the_others_are_not() {
        let fast = limit(1_000_000, 1).unwrap();
        fast.count_caller(&"ada".into()).unwrap();
        while !fast.0.is_empty() {
            fast.forget_the_idle();
        }
        let slow = limit(1, 9).unwrap();
        slow.count_caller(&"ada".into()).unwrap();
        slow.forget_the_idle();
        assert_eq!(slow.0.len(), 1);
    }

    #[test]
    fn without_a_limit_nobody_is_counted() {
        assert!(limit(0, 5).is_none());
    }
}
