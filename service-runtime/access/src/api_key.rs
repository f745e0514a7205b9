//! API keys: `shop_<id>_<secret>`.

use crate::hex;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// What every key begins with, so that scanners for secrets find one that was
/// published by mistake: `shop_[0-9a-f]{16}_[0-9a-f]{64}`.
pub const PREFIX: &str = "shop_";

const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// A key as its owner has it. Its secret is shown by [`ApiKey::reveal`] alone.
#[derive(Clone)]
pub struct ApiKey {
    text: String,
}

/// What is kept of a key: SHA-256 of its text.
///
/// The slow, salted hashes for passwords are for texts that people choose, which can
/// be guessed. A secret of 256 random bits cannot be, by however fast a hash, and no
/// two keys have the same; so a request pays for one SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl ApiKey {
    /// A new key, of the system's randomness.
    ///
    /// # Errors
    /// If the system has none to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        Ok(Self { text: format!("{PREFIX}{}_{}", hex::encode(&id), hex::encode(&secret)) })
    }

    /// The id in the text of a key, if it is one by its form.
    pub fn id_of(text: &str) -> Option<&str> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        (is_id(id) && secret.len() == 2 * SECRET_BYTES && hex::is_hex(secret)).then_some(id)
    }

    /// By which it is listed and revoked. No secret.
    pub fn id(&self) -> &str {
        Self::id_of(&self.text).unwrap_or_default()
    }

    /// The whole key.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is kept of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.text)
    }
}

impl fmt::Debug for ApiKey {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_…", self.id())
    }
}

/// Whether a text is the id of a key.
pub fn is_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && hex::is_hex(text)
}

impl KeyHash {
    /// The hash of nobody's key, to compare with where there is none: so a key that is
    /// not known takes as long as one that is.
    pub const NOBODYS: Self = Self([0; 32]);

    /// Of the text of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Whether it is of that key. Takes the same time wherever they differ.
    pub fn is_of(&self, key: &str) -> bool {
        self.0.ct_eq(&Self::of(key).0).into()
    }

    /// As it is kept.
    pub fn to_hex(self) -> String {
        hex::encode(&self.0)
    }

    /// From what was kept.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).map(Self)
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
    fn a_key_is_recognised_by_its_hash_and_no_other_is() {
        let (key, other) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        assert_ne!(key.reveal(), other.reveal());
        assert!(key.hash().is_of(key.reveal()));
        assert!(!key.hash().is_of(other.reveal()));
        // The id belongs to what is hashed: a secret is of no use with another id.
        assert!(!key.hash().is_of(&key.reveal().replace(key.id(), other.id())));
        assert!(!KeyHash::NOBODYS.is_of(key.reveal()));
        assert_eq!(KeyHash::from_hex(&key.hash().to_hex()), Some(key.hash()));
    }

    #[test]
    fn a_key_has_its_form_and_does_not_show_its_secret() {
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
