//! Tokens that were found good.
//!
//! To verify a signature by a public key takes some hundred microseconds, longer than
//! all else about a request, and clients send the same token again and again. So a
//! token that was verified is remembered by its SHA-256, until it expires or the keys
//! change.

use super::caller::Caller;
use super::key_set::KeySet;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most tokens that are remembered: about a megabyte.
const MAX_TOKENS: usize = 8_192;

/// Tokens that were found good.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<HashMap<[u8; 32], Good>>);

/// A token that was found good.
#[derive(Clone, Debug)]
pub struct Good {
    /// Who has shown it.
    pub caller: Caller,
    /// Until when it is, in seconds since 1970.
    pub until: u64,
    /// The keys that it was found good by.
    pub keys: Arc<KeySet>,
}

impl Remembered {
    /// Who shows a token, if it is known and still good.
    pub fn find(&self, token: &str, now: u64, keys: &Arc<KeySet>) -> Option<Caller> {
        let name = name(token);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let good = known.get(&name)?;
        (now < good.until && Arc::ptr_eq(&good.keys, keys)).then(|| good.caller.clone())
    }

    /// Remembers a token.
    pub fn keep(&self, token: &str, good: Good, now: u64) {
        let name = name(token);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TOKENS {
            known.retain(|_, other| now < other.until && Arc::ptr_eq(&other.keys, &good.keys));
        }
        if known.len() >= MAX_TOKENS {
            known.clear();
        }
        known.insert(name, good);
    }
}

fn name(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::Roles;

    fn good(until: u64, keys: &Arc<KeySet>) -> Good {
        Good { caller: Caller::of_token("i", "s", Roles::default()), until, keys: keys.clone() }
    }

    #[test]
    fn a_token_is_known_until_it_expires_or_the_keys_change() {
        let (known, keys) = (Remembered::default(), Arc::new(KeySet::default()));
        known.keep("t", good(100, &keys), 0);
        assert!(known.find("t", 99, &keys).is_some());
        assert!(known.find("t", 100, &keys).is_none());
        assert!(known.find("u", 0, &keys).is_none());
        assert!(known.find("t", 99, &Arc::new(KeySet::default())).is_none());
    }

    #[test]
    fn memory_has_an_end() {
        let (known, keys) = (Remembered::default(), Arc::new(KeySet::default()));
        for token in 0..2 * MAX_TOKENS {
            known.keep(&token.to_string(), good(100, &keys), 0);
            assert!(known.0.lock().unwrap().len() <= MAX_TOKENS);
        }
        assert!(known.find(&(2 * MAX_TOKENS - 1).to_string(), 0, &keys).is_some());
    }
}
