//! Limits invalid credentials per client address.

use super::addresses::Network;
use super::rate_limit::RateLimit;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Invalid credentials per second and address.
const RATE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// Maximum burst of invalid credentials per address. Many clients may share an address, and
/// all of them may still use a key that is being rotated.
const BURST: NonZeroU32 = NonZeroU32::new(200).unwrap();

/// Counts invalid credentials by address.
#[derive(Debug)]
pub struct Failures {
    counts: RateLimit<Network>,
    /// Blocked addresses, and until when.
    blocked: Mutex<HashMap<Network, Instant>>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { counts: RateLimit::new(RATE, BURST), blocked: Mutex::default() }
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
        self.counts.count(&network).inspect_err(|wait| {
            let mut blocked = self.blocked.lock();
            blocked.insert(network, Instant::now() + *wait);
        })
    }

    /// Removes addresses without recent failures.
    pub fn remove_idle(&self) {
        self.counts.remove_idle();
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
        assert!(counted >= BURST.get(), "{counted}");
        assert!(failures.check(&guessing).is_err());
        assert_eq!(failures.check(&Network::of(Ipv4Addr::UNSPECIFIED.into())), Ok(()));
    }
}
