//! The file of API keys: JSON, with hashes in place of secrets.

use crate::api_key::{ApiKey, KeyHash, is_id};
use crate::role::{Role, Roles};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Largest file that is read: some three thousand keys.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 100;

/// All keys that there are and were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// The oldest first.
    pub keys: Vec<KeyRecord>,
}

/// A key as it is kept. Unknown members are refused: an `expires` that is misspelt
/// would make a key that never does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Names it, also in logs.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What its owner may do.
    pub roles: Vec<Role>,
    /// Hexadecimal SHA-256 of the whole key.
    pub sha256: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// From then on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
    /// When it was revoked; it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<DateTime<Utc>>,
}

/// Whether a key is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Valid,
    /// It was, until then.
    Expired,
    /// Somebody took it back.
    Revoked,
}

/// Why a file is none of keys, or a key cannot be in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It has another shape.
    #[error("not a file of API keys: {0}")]
    Shape(#[from] serde_json::Error),
    /// A key in it is none.
    #[error("key {id:?}: {wrong}")]
    Key {
        /// Its id, as it stands there.
        id: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
}

impl KeyFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it is not what this program writes, in any respect: of a file that was
    /// spoilt nobody knows what it was to say.
    pub fn parse(text: &[u8]) -> Result<Self, KeyFileError> {
        let file: Self = serde_json::from_slice(text)?;
        let mut ids = HashSet::new();
        for key in &file.keys {
            let wrong = key.wrong().or((!ids.insert(key.id.as_str())).then_some("is there twice"));
            if let Some(wrong) = wrong {
                return Err(KeyFileError::Key { id: key.id.clone(), wrong });
            }
        }
        Ok(file)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None in practice: it has a JSON form.
    pub fn to_text(&self) -> Result<String, KeyFileError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl KeyRecord {
    /// What is to be kept of a new key.
    ///
    /// # Errors
    /// If the name or the roles are none to keep.
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
        match record.wrong() {
            None => Ok(record),
            Some(wrong) => Err(KeyFileError::Key { id: record.id, wrong }),
        }
    }

    /// What its owner may do.
    pub fn roles(&self) -> Roles {
        self.roles.iter().copied().collect()
    }

    /// Its hash; none if it is spoilt, which [`KeyFile::parse`] rules out.
    pub fn hash(&self) -> Option<KeyHash> {
        KeyHash::from_hex(&self.sha256)
    }

    /// Whether it is accepted at that time.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        if self.revoked.is_some() {
            State::Revoked
        } else if self.expires.is_some_and(|expires| expires <= now) {
            State::Expired
        } else {
            State::Valid
        }
    }

    fn wrong(&self) -> Option<&'static str> {
        let is_name = (1..=MAX_NAME_CHARS).contains(&self.name.chars().count())
            && !self.name.chars().any(char::is_control);
        if !is_id(&self.id) {
            Some("the id must be 16 digits of lower-case hexadecimal")
        } else if !is_name {
            Some("the name must be 1 to 100 characters, without control characters")
        } else if self.roles.is_empty() {
            Some("it must have a role")
        } else if self.hash().is_none() {
            Some("sha256 must be 64 digits of lower-case hexadecimal")
        } else {
            None
        }
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
    fn what_was_written_is_read_again() {
        let file = KeyFile { keys: vec![record("till"), record("office")] };
        let text = file.to_text().unwrap();
        assert_eq!(KeyFile::parse(text.as_bytes()).unwrap(), file);
    }

    #[test]
    fn a_file_that_is_wrong_anywhere_is_refused() {
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
