//! Limits invalid credentials per client address.

use super::addresses::Network;
use super::rate_limit::{count, remove_idle};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Invalid credentials per second and address.
const RATE: u32 = 5;

/// Maximum burst of invalid credentials per address. Many clients may share an address, and
/// all of them may still use a key that is being rotated.
const BURST: u32 = 200;

/// Counts invalid credentials by address.
#[derive(Debug)]
pub struct Failures {
    counts: DefaultKeyedRateLimiter<Network>,
    /// Blocked addresses, and until when.
    blocked: Mutex<HashMap<Network, Instant>>,
}

impl Default for Failures {
    fn default() -> Self {
        let [rate, burst] = [RATE, BURST].map(|n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
        let counts = RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst));
        Self { counts, blocked: Mutex::default() }
    }
}

impl Failures {
    /// Checks that an address is not blocked.
    ///
    /// # Errors
    /// The address is blocked; for how long.
    pub fn check(&self, network: &Network) -> Result<(), Duration> {
        let blocked = self.blocked.lock();
        let wait =
            blocked.get(network).map(|until| until.saturating_duration_since(Instant::now()));
        wait.filter(|wait| !wait.is_zero()).map_or(Ok(()), Err)
    }

    /// Counts an invalid credential.
    ///
    /// # Errors
    /// The address is now blocked; for how long.
    pub fn count(&self, network: Network) -> Result<(), Duration> {
        count(&self.counts, &network).inspect_err(|wait| {
            let mut blocked = self.blocked.lock();
            blocked.insert(network, Instant::now() + *wait);
        })
    }

    /// Removes addresses without recent failures.
    pub fn remove_idle(&self) {
        remove_idle(&self.counts);
        let now = Instant::now();
        let mut blocked = self.blocked.lock();
        blocked.retain(|_, until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_with_too_many_failures_is_blocked_and_others_are_not() {
        let failures = Failures::default();
        let guessing = Network::of(Ipv4Addr::LOCALHOST.into());
        assert_eq!(failures.check(&guessing), Ok(()));
        let mut counted = 0;
        while failures.count(guessing).is_ok() {
            counted += 1;
        }
        assert!(counted >= BURST, "{counted}");
        assert!(failures.check(&guessing).is_err());
        assert_eq!(failures.check(&Network::of(Ipv4Addr::UNSPECIFIED.into())), Ok(()));
    }
}
