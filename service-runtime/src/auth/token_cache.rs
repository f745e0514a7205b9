//! A cache of verified tokens.
//!
//! Verifying a signature with a public key takes some hundred microseconds, longer than the
//! rest of a request, and clients send the same token many times. A verified token is
//! cached by its SHA-256 until it expires or the keys change.

use super::caller::Caller;
use super::key_set::KeySet;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of cached tokens: about 1 MB.
const MAX_TOKENS: usize = 8_192;

/// A cache of verified tokens.
#[derive(Debug, Default)]
pub struct TokenCache(Mutex<HashMap<[u8; 32], VerifiedToken>>);

/// A verified token.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// The caller.
    pub caller: Caller,
    /// Expiry, in seconds since 1970.
    pub until: u64,
    /// The keys that verified it.
    pub keys: Arc<KeySet>,
}

impl TokenCache {
    /// The caller of a token, if it is cached and still valid.
    pub fn find(&self, token: &str, now: u64, keys: &Arc<KeySet>) -> Option<Caller> {
        let digest = digest(token);
        let tokens = self.0.lock();
        let verified = tokens.get(&digest)?;
        (now < verified.until && Arc::ptr_eq(&verified.keys, keys)).then(|| verified.caller.clone())
    }

    /// Adds a token.
    pub fn insert(&self, token: &str, verified: VerifiedToken, now: u64) {
        let digest = digest(token);
        let mut tokens = self.0.lock();
        if tokens.len() >= MAX_TOKENS {
            tokens.retain(|_, other| now < other.until && Arc::ptr_eq(&other.keys, &verified.keys));
        }
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(digest, verified);
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::Roles;

    fn verified(until: u64, keys: &Arc<KeySet>) -> VerifiedToken {
        VerifiedToken {
            caller: Caller::of_token("i", "s", Roles::default()),
            until,
            keys: keys.clone(),
        }
    }

    #[test]
    fn a_token_is_cached_until_it_expires_or_the_keys_change() {
        let (cache, keys) = (TokenCache::default(), Arc::new(KeySet::default()));
        cache.insert("t", verified(100, &keys), 0);
        assert!(cache.find("t", 99, &keys).is_some());
        assert!(cache.find("t", 100, &keys).is_none());
        assert!(cache.find("u", 0, &keys).is_none());
        assert!(cache.find("t", 99, &Arc::new(KeySet::default())).is_none());
    }

    #[test]
    fn the_cache_is_bounded() {
        let (cache, keys) = (TokenCache::default(), Arc::new(KeySet::default()));
        for token in 0..2 * MAX_TOKENS {
            cache.insert(&token.to_string(), verified(100, &keys), 0);
            assert!(cache.0.lock().len() <= MAX_TOKENS);
        }
        assert!(cache.find(&(2 * MAX_TOKENS - 1).to_string(), 0, &keys).is_some());
    }
}
