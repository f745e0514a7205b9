//! Rate limits of clients.

use super::addresses::Network;
use super::settings::TrafficSettings;
use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Who sends requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// A caller, by its id.
    Caller(Arc<str>),
    /// Anyone without a credential in a network.
    Network(Network),
}

/// A rate limit per client, with a burst (GCRA). Refused requests do not count.
#[derive(Debug)]
pub struct RateLimit<K: Clone + Eq + Hash = Client>(DefaultKeyedRateLimiter<K>);

impl RateLimit {
    /// The configured limit of requests; none if there is none.
    pub fn of(settings: &TrafficSettings) -> Option<Self> {
        let rate = NonZeroU32::new(settings.rate_limit)?;
        let burst = NonZeroU32::new(settings.rate_limit_burst).unwrap_or(rate);
        Some(Self::new(rate, burst))
    }
}

impl<K: Clone + Eq + Hash> RateLimit<K> {
    /// A limit per second.
    pub(super) fn new(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)))
    }

    /// Counts a request of a client.
    ///
    /// # Errors
    /// The limit is exceeded; the time until a retry is accepted.
    pub fn count(&self, client: &K) -> Result<(), Duration> {
        self.0.check_key(client).map_err(|until| until.wait_time_from(self.0.clock().now()))
    }

    /// Removes clients without recent requests.
    pub fn remove_idle(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn limit(rate_limit: u32, rate_limit_burst: u32) -> Option<RateLimit> {
        let settings = TrafficSettings::without_rate_limit();
        RateLimit::of(&TrafficSettings { rate_limit, rate_limit_burst, ..settings })
    }

    #[test]
    fn each_caller_has_a_separate_limit() {
        let limit = limit(1, 3).unwrap();
        let [ada, eva] = ["ada", "eva"].map(|id| Client::Caller(id.into()));
        for _ in 0..3 {
            assert_eq!(limit.count(&ada), Ok(()));
        }
        let wait = limit.count(&ada).unwrap_err();
        assert!(wait > Duration::from_millis(500) && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(limit.count(&eva), Ok(()));
        let network = Network::of(Ipv4Addr::LOCALHOST.into());
        assert_eq!(limit.count(&Client::Network(network)), Ok(()));
        assert_eq!(limit.0.len(), 3);
    }

    #[test]
    fn only_idle_callers_are_removed() {
        let fast = limit(1_000_000, 1).unwrap();
        fast.count(&Client::Caller("ada".into())).unwrap();
        while !fast.0.is_empty() {
            fast.remove_idle();
        }
        let slow = limit(1, 9).unwrap();
        slow.count(&Client::Caller("ada".into())).unwrap();
        slow.remove_idle();
        assert_eq!(slow.0.len(), 1);
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        assert!(limit(0, 5).is_none());
    }
}
