//! `users_read`: each user as they stand, with the address of their newest
//! account.

use super::Projection;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use shared_events::{AccountCreated, Event, Payload, Topic, UserState};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Keeps `users_read`.
pub struct Users;

impl Projection for Users {
    fn view(&self) -> &'static str {
        "users_read"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Users]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        add(connection, events).boxed()
    }
}

/// What a batch says of one user. A version is that of the event and its id;
/// the lowest there are stand for none.
struct Change<'a> {
    state: Option<&'a UserState>,
    state_version: (i64, Uuid),
    account: Option<&'a AccountCreated>,
    account_version: (i64, Uuid),
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let changes = fold(events);
    if changes.is_empty() {
        return Ok(());
    }
    let states = || changes.values().map(|change| change.state);
    let accounts = || changes.values().map(|change| change.account);
    sqlx::query_file!(
        "src/projections/users.sql",
        &changes.keys().copied().collect::<Vec<_>>(),
        &states().map(|state| state.map(|s| s.name.clone())).collect::<Vec<_>>() as _,
        &states().map(|state| state.map(|s| s.email.clone())).collect::<Vec<_>>() as _,
        &changes.values().map(|change| change.state_version.0).collect::<Vec<_>>(),
        &changes.values().map(|change| change.state_version.1).collect::<Vec<_>>(),
        &accounts().map(|account| account.map(|a| a.account_id)).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.address1.clone())).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.city.clone())).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.state.clone())).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.zip.clone())).collect::<Vec<_>>() as _,
        &changes.values().map(|change| change.account_version.0).collect::<Vec<_>>(),
        &changes.values().map(|change| change.account_version.1).collect::<Vec<_>>(),
        &changes.values().map(|change| change.first).collect::<Vec<_>>(),
        &changes.values().map(|change| change.last).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn fold(events: &[Event]) -> BTreeMap<i64, Change<'_>> {
    let mut changes = BTreeMap::new();
    for event in events {
        let version = (event.envelope.aggregate_version, event.envelope.event_id);
        if let Some(state) = event.payload.user() {
            let change = touch(&mut changes, state.user_id, event);
            if version > change.state_version {
                (change.state, change.state_version) = (Some(state), version);
            }
        } else if let Payload::AccountCreated(account) = &event.payload {
            let change = touch(&mut changes, account.user_id, event);
            if version > change.account_version {
                (change.account, change.account_version) = (Some(account), version);
            }
        }
    }
    changes
}

fn touch<'a, 'm>(
    changes: &'m mut BTreeMap<i64, Change<'a>>,
    user_id: i64,
    event: &Event,
) -> &'m mut Change<'a> {
    let time = event.envelope.timestamp;
    let change = changes.entry(user_id).or_insert(Change {
        state: None,
        state_version: (0, Uuid::nil()),
        account: None,
        account_version: (0, Uuid::nil()),
        first: time,
        last: time,
    });
    change.first = time.min(change.first);
    change.last = time.max(change.last);
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::samples::{account, user};

    #[test]
    fn the_newest_state_and_the_newest_account_stand() {
        let events = [account(12, 7, 5), user(7, 3), account(11, 7, 2), user(7, 1), user(7, 4)];
        let changes = fold(&events);
        assert_eq!(changes[&7].state.unwrap().name, "User 7.4");
        assert_eq!(changes[&7].account.unwrap().account_id, 12);
    }

    #[test]
    fn an_account_alone_makes_no_state() {
        assert!(fold(&[account(1, 7, 2)])[&7].state.is_none());
    }
}
