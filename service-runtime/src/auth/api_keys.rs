//! API keys, by the file of those that there are.

use super::caller::Caller;
use access::{ApiKey, KeyFile, KeyHash, KeyRecord, State};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// The keys that there are.
#[derive(Debug, Default)]
pub struct ApiKeys(HashMap<String, Known>);

#[derive(Debug)]
struct Known {
    hash: KeyHash,
    caller: Caller,
    record: KeyRecord,
}

impl ApiKeys {
    /// Reads the text of a file of keys.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let known = KeyFile::parse(text)?.keys.into_iter().filter_map(|record| {
            let (hash, caller) = (record.hash()?, Caller::of_key(&record.id, record.roles()));
            Some((record.id.clone(), Known { hash, caller, record }))
        });
        Ok(Self(known.collect()))
    }

    /// Whether there is one that is accepted now.
    pub fn any_valid(&self) -> bool {
        self.0.values().any(|known| known.record.state(Utc::now()) == State::Valid)
    }

    /// The owner of a key. A key that nobody has takes as long as one that is wrong.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn identify(&self, key: &str, now: DateTime<Utc>) -> Result<Caller, &'static str> {
        let known = ApiKey::id_of(key).and_then(|id| self.0.get(id));
        let is_of = known.map_or(KeyHash::NOBODYS, |known| known.hash).is_of(key);
        match known {
            // Whoever has the whole key may know what became of it.
            Some(known) if is_of => match known.record.state(now) {
                State::Valid => Ok(known.caller.clone()),
                State::Expired => Err("The API key has expired."),
                State::Revoked => Err("The API key was revoked."),
            },
            _ => Err("There is no such API key."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::Role;
    use chrono::TimeDelta;

    #[test]
    fn only_the_whole_key_is_accepted_and_only_in_its_time() {
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
            assert_eq!(keys(None).identify(bad, now), Err("There is no such API key."));
        }
    }
}
