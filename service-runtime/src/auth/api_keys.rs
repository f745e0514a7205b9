//! The API keys of the key file.

use super::caller::Caller;
use access::{ApiKey, KeyFile, KeyHash, KeyRecord, State};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// The API keys, by id.
#[derive(Debug, Default)]
pub struct ApiKeys(HashMap<String, StoredKey>);

#[derive(Debug)]
struct StoredKey {
    hash: KeyHash,
    caller: Caller,
    record: KeyRecord,
}

impl ApiKeys {
    /// Parses a key file.
    ///
    /// # Errors
    /// The file is malformed.
    pub fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let known = KeyFile::parse(text)?.keys.into_iter().filter_map(|record| {
            let (hash, caller) = (record.hash()?, Caller::of_key(&record.id, record.roles()));
            Some((record.id.clone(), StoredKey { hash, caller, record }))
        });
        Ok(Self(known.collect()))
    }

    /// Whether any key is valid now.
    pub fn any_valid(&self) -> bool {
        self.0.values().any(|known| known.record.state(Utc::now()) == State::Valid)
    }

    /// The owner of a key. Unknown ids and wrong secrets take the same time.
    ///
    /// # Errors
    /// Why the key is not accepted.
    pub fn identify(&self, key: &str, now: DateTime<Utc>) -> Result<Caller, &'static str> {
        let known = ApiKey::id_of(key).and_then(|id| self.0.get(id));
        let is_of = known.map_or(KeyHash::OF_NO_KEY, |known| known.hash).is_of(key);
        match known {
            // The state is revealed only to the holder of the whole key.
            Some(known) if is_of => match known.record.state(now) {
                State::Valid => Ok(known.caller.clone()),
                State::Expired => Err("The API key has expired."),
                State::Revoked => Err("The API key was revoked."),
            },
            _ => Err("The API key does not exist."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::Role;
    use chrono::TimeDelta;

    #[test]
    fn only_a_complete_key_is_accepted_and_only_while_valid() {
        let (key, now) = (ApiKey::generate().unwrap(), Utc::now());
        let expires = now + TimeDelta::hours(1);
        let record = |revoked| KeyRecord {
            revoked,
            ..KeyRecord::new(&key, "till", vec![Role::Writer], now, Some(expires)).unwrap()
        };
        let keys = |revoked| {
            let file = KeyFile { keys: vec![record(revoked)] };
            ApiKeys::parse(file.to_text().unwrap().as_bytes()).unwrap()
        };
        let caller = keys(None).identify(key.reveal(), now).unwrap();
        assert_eq!(&**caller.id(), format!("key {}", key.id()));
        assert!(caller.may(Role::Writer) && !caller.may(Role::Reader));
        assert!(keys(None).identify(key.reveal(), expires).is_err());
        assert!(keys(Some(now)).identify(key.reveal(), now).is_err());
        let other = ApiKey::generate().unwrap();
        let forged = other.reveal().replace(other.id(), key.id());
        for bad in [other.reveal(), &forged, "shop_", ""] {
            assert_eq!(keys(None).identify(bad, now), Err("The API key does not exist."));
        }
    }
}
