//! `users_read`: each user with the address of the newest account.

use super::newest::Newest;
use chrono::{DateTime, Utc};
use shared_events::{AccountCreated, Event, Payload, UserState};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// The changes of one user in a batch.
struct Change<'a> {
    state: Newest<&'a UserState>,
    account: Newest<&'a AccountCreated>,
    /// Version and time of the event with the lowest version.
    created: (i64, DateTime<Utc>),
    updated_at: DateTime<Utc>,
}

/// Applies events to the view.
pub async fn apply(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let changes = fold(events);
    if changes.is_empty() {
        return Ok(());
    }
    let states = || changes.values().map(|change| change.state.value);
    let accounts = || changes.values().map(|change| change.account.value);
    sqlx::query_file!(
        "src/projections/users.sql",
        &changes.keys().copied().collect::<Vec<_>>(),
        &states().map(|state| state.map(|s| s.name.clone())).collect::<Vec<_>>() as _,
        &states().map(|state| state.map(|s| s.email.clone())).collect::<Vec<_>>() as _,
        &changes.values().map(|change| change.state.version).collect::<Vec<_>>(),
        &changes.values().map(|change| change.state.event_id).collect::<Vec<_>>(),
        &accounts().map(|account| account.map(|a| a.account_id)).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.address1.clone())).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.city.clone())).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.state.clone())).collect::<Vec<_>>() as _,
        &accounts().map(|account| account.map(|a| a.zip.clone())).collect::<Vec<_>>() as _,
        &changes.values().map(|change| change.account.version).collect::<Vec<_>>(),
        &changes.values().map(|change| change.account.event_id).collect::<Vec<_>>(),
        &changes.values().map(|change| change.created.0).collect::<Vec<_>>(),
        &changes.values().map(|change| change.created.1).collect::<Vec<_>>(),
        &changes.values().map(|change| change.updated_at).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn fold(events: &[Event]) -> BTreeMap<i64, Change<'_>> {
    let mut changes = BTreeMap::new();
    for event in events {
        if let Some(state) = event.payload.user() {
            change_of(&mut changes, state.user_id, event).state.offer(event, state);
        } else if let Payload::AccountCreated(account) = &event.payload {
            change_of(&mut changes, account.user_id, event).account.offer(event, account);
        }
    }
    changes
}

fn change_of<'a, 'm>(
    changes: &'m mut BTreeMap<i64, Change<'a>>,
    user_id: i64,
    event: &Event,
) -> &'m mut Change<'a> {
    let time = event.envelope.timestamp;
    let created = (event.envelope.aggregate_version, time);
    let change = changes.entry(user_id).or_insert(Change {
        state: Newest::default(),
        account: Newest::default(),
        created,
        updated_at: time,
    });
    change.created = created.min(change.created);
    change.updated_at = time.max(change.updated_at);
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::sample_events::{account, user};

    #[test]
    fn the_newest_state_and_the_newest_account_win() {
        let events = [account(12, 7, 5), user(7, 3), account(11, 7, 2), user(7, 1), user(7, 4)];
        let changes = fold(&events);
        assert_eq!(changes[&7].state.value.unwrap().name, "User 7.4");
        assert_eq!(changes[&7].account.value.unwrap().account_id, 12);
    }

    #[test]
    fn an_account_alone_has_no_user_state() {
        assert!(fold(&[account(1, 7, 2)])[&7].state.value.is_none());
    }
}
