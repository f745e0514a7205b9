//! The file of API keys: JSON with hashes instead of secrets.

use crate::api_key::{ApiKey, KeyHash, is_id};
use crate::role::{Role, Roles};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Maximum size of a file, enough for about three thousand keys.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Maximum length of a key's name, in characters.
const MAX_NAME_CHARS: usize = 100;

/// All keys, including expired and revoked ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// Oldest first.
    pub keys: Vec<KeyRecord>,
}

/// A stored key. Unknown properties are refused, because a key with a misspelt `expires`
/// would never expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The public id, which also appears in logs.
    pub id: String,
    /// The purpose of the key.
    pub name: String,
    /// The roles of its owner.
    pub roles: Vec<Role>,
    /// Hexadecimal SHA-256 of the whole key.
    pub sha256: String,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// The key is refused from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
    /// When it was revoked. A revoked key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<DateTime<Utc>>,
}

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The key is accepted.
    Valid,
    /// The expiry time has passed.
    Expired,
    /// The key was revoked.
    Revoked,
}

/// Why a file or a key is invalid.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is not valid JSON of a [`KeyFile`].
    #[error("not a file of API keys: {0}")]
    Shape(#[from] serde_json::Error),
    /// A key is invalid.
    #[error("key {id:?}: {reason}")]
    Key {
        /// Its id in the file.
        id: String,
        /// Why the key is invalid.
        reason: &'static str,
    },
}

impl KeyFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// If any part of the file is invalid. A damaged file is refused as a whole, because its
    /// intended content is unknown.
    pub fn parse(text: &[u8]) -> Result<Self, KeyFileError> {
        let file: Self = serde_json::from_slice(text)?;
        let mut ids = HashSet::new();
        for key in &file.keys {
            key.check()?;
            if !ids.insert(key.id.as_str()) {
                return Err(key.invalid("the id is a duplicate"));
            }
        }
        Ok(file)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None in practice: every key file has a JSON form.
    pub fn to_text(&self) -> Result<String, KeyFileError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl KeyRecord {
    /// The record of a new key.
    ///
    /// # Errors
    /// If the name or the roles are invalid.
    pub fn new(
        key: &ApiKey,
        name: &str,
        roles: Vec<Role>,
        created: DateTime<Utc>,
        expires: Option<DateTime<Utc>>,
    ) -> Result<Self, KeyFileError> {
        let record = Self {
            id: key.id().to_owned(),
            name: name.to_owned(),
            roles,
            sha256: key.hash().to_hex(),
            created,
            expires,
            revoked: None,
        };
        record.check()?;
        Ok(record)
    }

    /// The roles of its owner, as a set.
    pub fn roles(&self) -> Roles {
        self.roles.iter().copied().collect()
    }

    /// Its hash; none if it is malformed, which [`KeyFile::parse`] excludes.
    pub fn hash(&self) -> Option<KeyHash> {
        KeyHash::from_hex(&self.sha256)
    }

    /// Its state at a time.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        if self.revoked.is_some() {
            State::Revoked
        } else if self.expires.is_some_and(|expires| expires <= now) {
            State::Expired
        } else {
            State::Valid
        }
    }

    fn invalid(&self, reason: &'static str) -> KeyFileError {
        KeyFileError::Key { id: self.id.clone(), reason }
    }

    fn check(&self) -> Result<(), KeyFileError> {
        let is_name = (1..=MAX_NAME_CHARS).contains(&self.name.chars().count())
            && !self.name.chars().any(char::is_control);
        let rules = [
            (is_id(&self.id), "the id must be 16 digits of lower-case hexadecimal"),
            (is_name, "the name must be 1 to 100 characters, without control characters"),
            (!self.roles.is_empty(), "it must have a role"),
            (self.hash().is_some(), "sha256 must be 64 digits of lower-case hexadecimal"),
        ];
        let broken = rules.into_iter().find(|(is_met, _)| !is_met);
        broken.map_or(Ok(()), |(_, rule)| Err(self.invalid(rule)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn record(name: &str) -> KeyRecord {
        let now = Utc::now();
        let key = ApiKey::generate().unwrap();
        let expires = Some(now + TimeDelta::hours(1));
        KeyRecord::new(&key, name, vec![Role::Writer], now, expires).unwrap()
    }

    #[test]
    fn a_written_file_is_read_unchanged() {
        let file = KeyFile { keys: vec![record("till"), record("office")] };
        let text = file.to_text().unwrap();
        assert_eq!(KeyFile::parse(text.as_bytes()).unwrap(), file);
    }

    #[test]
    fn an_invalid_file_is_refused() {
        let text = KeyFile { keys: vec![record("till")] }.to_text().unwrap();
        let id = KeyFile::parse(text.as_bytes()).unwrap().keys[0].id.clone();
        let twice = record("till");
        let twice = KeyFile { keys: vec![twice.clone(), twice] }.to_text().unwrap();
        for bad in [
            String::new(),
            "{}".to_owned(),
            text.replace("\"expires\"", "\"expire\""),
            text.replace("\"till\"", "\"\""),
            text.replace("\"till\"", "\"till\\n\""),
            text.replace("\"writer\"", ""),
            text.replace("\"writer\"", "\"owner\""),
            text.replace("\"sha256\": \"", "\"sha256\": \"0"),
            text.replace(&id, "1"),
            text.get(..text.len() / 2).unwrap().to_owned(),
            twice,
        ] {
            assert!(KeyFile::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_accepted_until_it_expires_or_is_revoked() {
        let mut key = record("till");
        let expires = key.expires.unwrap();
        assert_eq!(key.state(expires - TimeDelta::seconds(1)), State::Valid);
        assert_eq!(key.state(expires), State::Expired);
        key.revoked = Some(key.created);
        assert_eq!(key.state(key.created), State::Revoked);
    }
}
