//! `cargo stack keys`: manages the file of API keys that the services read.

use crate::arguments::{Keys, KeysAction, NewKey};
use crate::key_store;
use access::{ApiKey, KeyFile, KeyRecord, MAX_FILE_BYTES, Role, State};
use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use kit::{note, print};
use std::path::Path;
use std::process::ExitCode;

/// The largest file, in bytes, after a key is added. It is below the services' limit, because
/// revoked keys take more space and it must be possible to revoke all.
const FULL: u64 = MAX_FILE_BYTES / 4 * 3;

/// Creates, lists or revokes keys.
pub fn run(arguments: &Keys) -> Result<ExitCode> {
    let file = &arguments.file;
    match &arguments.action {
        KeysAction::Create(new) => create(file, new)?,
        KeysAction::List => list(file)?,
        KeysAction::Revoke { id } => revoke(file, id)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(file: &Path, new: &NewKey) -> Result<()> {
    let (key, now) = (ApiKey::generate()?, Utc::now());
    let expires = new.expires_in.map(|lifetime| now + lifetime);
    let record = KeyRecord::new(&key, &new.name, new.roles.clone(), now, expires)?;
    key_store::change(file, |keys| add(keys, record))?;
    print(key.reveal());
    note(&format!(
        "This is key {}, for {}. It cannot be shown again: {} has only its hash.\nRunning \
         services accept it within seconds.",
        key.id(),
        names(&new.roles),
        file.display(),
    ));
    Ok(())
}

fn add(file: &mut KeyFile, record: KeyRecord) -> Result<()> {
    file.keys.push(record);
    ensure!(
        file.to_text()?.len() as u64 <= FULL,
        "there are too many keys for the services to read: remove revoked and expired keys from \
         the file"
    );
    Ok(())
}

fn list(file: &Path) -> Result<()> {
    let (keys, now) = (key_store::read(file)?.keys, Utc::now());
    if keys.is_empty() {
        note("There are no keys.");
    }
    for key in &keys {
        print(&line(key, now));
    }
    Ok(())
}

fn line(key: &KeyRecord, now: DateTime<Utc>) -> String {
    let state = match (key.state(now), key.expires, key.revoked) {
        (State::Revoked, _, Some(revoked)) => format!("revoked {}", text(revoked)),
        (State::Expired, Some(expires), _) => format!("expired {}", text(expires)),
        (_, Some(expires), _) => format!("until {}", text(expires)),
        _ => "valid".to_owned(),
    };
    format!(
        "{}  {}  {:<20}  {state:<28}  {}",
        key.id,
        text(key.created),
        names(&key.roles),
        key.name
    )
}

fn revoke(file: &Path, id: &str) -> Result<()> {
    // Accept the whole key, too: a leaked key is known only as a whole.
    let id = ApiKey::id_of(id).unwrap_or(id);
    key_store::change(file, |keys| {
        let key = keys.keys.iter_mut().find(|key| key.id == id);
        let key = key.with_context(|| format!("there is no key {id}: see `keys list`"))?;
        // Keep the time of the first revocation.
        key.revoked.get_or_insert_with(Utc::now);
        Ok(())
    })?;
    note(&format!("Key {id} is revoked. Running services refuse it within seconds."));
    Ok(())
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("+")
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_takes_no_more_keys_but_all_can_be_revoked() {
        let record = || {
            let key = ApiKey::generate().unwrap();
            KeyRecord::new(&key, "till", vec![Role::Reader], Utc::now(), None).unwrap()
        };
        let mut file = KeyFile::default();
        while file.to_text().unwrap().len() < (FULL - 50_000) as usize {
            file.keys.extend((0..100).map(|_| record()));
        }
        assert!((0..300).any(|_| add(&mut file, record()).is_err()));
        file.keys.iter_mut().for_each(|key| key.revoked = Some(Utc::now()));
        assert!(file.to_text().unwrap().len() as u64 <= MAX_FILE_BYTES);
    }
}
