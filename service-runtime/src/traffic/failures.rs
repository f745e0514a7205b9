//! How many bad credentials may come from an address.

use super::addresses::Network;
use super::rate_limit::{count, tidy};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bad credentials of an address in a second.
const RATE: u32 = 5;

/// Bad credentials of an address at once: many clients may be behind it, and a key that
/// is being exchanged is bad in all of them.
const BURST: u32 = 200;

/// Addresses that bad credentials come from.
#[derive(Debug)]
pub struct Failures {
    counts: DefaultKeyedRateLimiter<Network>,
    /// Those who have had too many, and until when.
    barred: Mutex<HashMap<Network, Instant>>,
}

impl Default for Failures {
    fn default() -> Self {
        let [rate, burst] = [RATE, BURST].map(|n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
        let counts = RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst));
        Self { counts, barred: Mutex::default() }
    }
}

impl Failures {
    /// Whether an address may try once more.
    ///
    /// # Errors
    /// After how long it may.
    pub fn check(&self, network: &Network) -> Result<(), Duration> {
        let barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = barred.get(network).map(|until| until.saturating_duration_since(Instant::now()));
        wait.filter(|wait| !wait.is_zero()).map_or(Ok(()), Err)
    }

    /// Counts a bad credential.
    ///
    /// # Errors
    /// After how long the address may try again, if there were too many.
    pub fn count(&self, network: Network) -> Result<(), Duration> {
        count(&self.counts, &network).inspect_err(|wait| {
            let mut barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
            barred.insert(network, Instant::now() + *wait);
        })
    }

    /// Forgets those who have had none for a while.
    pub fn forget_the_idle(&self) {
        tidy(&self.counts);
        let now = Instant::now();
        let mut barred = self.barred.lock().unwrap_or_else(PoisonError::into_inner);
        barred.retain(|_, until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn who_guesses_is_barred_for_a_while_and_others_are_not() {
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
