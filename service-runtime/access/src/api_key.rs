//! API keys: `shop_<id>_<secret>`.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// The prefix of every key, so that secret scanners find a published one:
/// `shop_[0-9a-f]{16}_[0-9a-f]{64}`.
pub const PREFIX: &str = "shop_";

const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// An API key with its secret. Only [`ApiKey::reveal`] shows the secret.
#[derive(Clone)]
pub struct ApiKey(String);

/// The SHA-256 of a key, which is stored in place of the key.
///
/// Slow, salted hashes protect passwords, which can be guessed. A secret of 256 random bits
/// cannot be guessed, so a fast hash without a salt is sufficient.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl ApiKey {
    /// Generates a key from the system's random source.
    ///
    /// # Errors
    /// If the random source fails.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        Ok(Self(format!("{PREFIX}{}_{}", hex::encode(id), hex::encode(secret))))
    }

    /// The id in a well-formed key.
    pub fn id_of(text: &str) -> Option<&str> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        (is_id(id) && secret.len() == 2 * SECRET_BYTES && is_hex(secret)).then_some(id)
    }

    /// The public id, by which the key is listed and revoked.
    pub fn id(&self) -> &str {
        Self::id_of(&self.0).unwrap_or_default()
    }

    /// The key with its secret.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its hash.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_…", self.id())
    }
}

/// Whether a text is a well-formed id of a key.
pub fn is_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && is_hex(text)
}

/// Whether a text is lower-case hexadecimal.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl KeyHash {
    /// The hash of no key. Comparing an unknown key with it takes as long as comparing a
    /// known one.
    pub const OF_NO_KEY: Self = Self([0; 32]);

    /// The hash of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Whether it is the hash of this key, compared in constant time.
    pub fn is_of(&self, key: &str) -> bool {
        self.0.ct_eq(&Self::of(key).0).into()
    }

    /// The stored form.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Parses the stored form.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok().filter(|()| is_hex(text))?;
        Some(Self(hash))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_own_key_only() {
        let (key, other) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        assert_ne!(key.reveal(), other.reveal());
        assert!(key.hash().is_of(key.reveal()));
        assert!(!key.hash().is_of(other.reveal()));
        // The hash covers the id, so a secret does not work with another id.
        assert!(!key.hash().is_of(&key.reveal().replace(key.id(), other.id())));
        assert!(!KeyHash::OF_NO_KEY.is_of(key.reveal()));
        let stored = key.hash().to_hex();
        assert_eq!(KeyHash::from_hex(&stored), Some(key.hash()));
        for bad in [
            "",
            &stored[1..],
            &stored.to_uppercase(),
            &stored.replacen(char::is_alphanumeric, "+", 1),
        ] {
            assert_eq!(KeyHash::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_generated_key_is_well_formed_and_debug_hides_its_secret() {
        let key = ApiKey::generate().unwrap();
        assert_eq!(ApiKey::id_of(key.reveal()), Some(key.id()));
        assert!(is_id(key.id()));
        assert_eq!(format!("{key:?}"), format!("shop_{}_…", key.id()));
        let short = key.reveal().get(..85).unwrap().to_owned();
        let shouted = key.reveal().to_uppercase();
        for bad in ["", "shop_", "shop__", "shop_0123456789abcdef_", &short, &shouted] {
            assert_eq!(ApiKey::id_of(bad), None, "{bad}");
        }
    }
}
