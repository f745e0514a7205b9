//! `cargo stack keys`: who may call, in the file that the services read.

use crate::arguments::{Keys, KeysAction, NewKey};
use crate::key_store::KeyStore;
use crate::output::{note, print};
use access::{ApiKey, KeyRecord, Role, State};
use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use std::process::ExitCode;

/// Makes, lists or revokes keys.
pub fn run(arguments: &Keys) -> Result<ExitCode> {
    let store = KeyStore::at(&arguments.file);
    match &arguments.action {
        KeysAction::Create(new) => create(&store, new)?,
        KeysAction::List => list(&store)?,
        KeysAction::Revoke { id } => revoke(&store, id)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(store: &KeyStore, new: &NewKey) -> Result<()> {
    let (key, now) = (ApiKey::generate()?, Utc::now());
    let expires = new.expires_in.map(|lifetime| now + lifetime);
    let record = KeyRecord::new(&key, &new.name, new.roles.clone(), now, expires)?;
    store.change(|file| {
        file.keys.push(record);
        Ok(())
    })?;
    print(key.reveal());
    note(&format!(
        "This is key {}, for {}. It is shown this once: {} has only its hash.\nRunning services \
         accept it within seconds.",
        key.id(),
        names(&new.roles),
        store.path().display(),
    ));
    Ok(())
}

fn list(store: &KeyStore) -> Result<()> {
    let (keys, now) = (store.read()?.keys, Utc::now());
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
        (State::Revoked, _, Some(revoked)) => format!("revoked {}", shown(revoked)),
        (State::Expired, Some(expires), _) => format!("expired {}", shown(expires)),
        (_, Some(expires), _) => format!("until {}", shown(expires)),
        _ => "valid".to_owned(),
    };
    format!(
        "{}  {}  {:<20}  {state:<28}  {}",
        key.id,
        shown(key.created),
        names(&key.roles),
        key.name
    )
}

fn revoke(store: &KeyStore, id: &str) -> Result<()> {
    // Whoever found a key somewhere has the whole of it.
    let id = ApiKey::id_of(id).unwrap_or(id);
    store.change(|file| {
        let key = file.keys.iter_mut().find(|key| key.id == id);
        let key = key.with_context(|| format!("there is no key {id}: see `keys list`"))?;
        // It was revoked when it was first.
        key.revoked.get_or_insert_with(Utc::now);
        Ok(())
    })?;
    note(&format!("Key {id} is revoked. Running services refuse it within seconds."));
    Ok(())
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("+")
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
