//! Ensures that external events create an order, a product or a user only once.

use crate::dead_letter_reasons::{created_by_event, created_by_shop};
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

type Key = (&'static str, i64);

/// The aggregates of a batch's external events.
pub struct Aggregates {
    states: BTreeMap<Key, State>,
    /// Aggregates that this batch names first or creates.
    new: BTreeMap<Key, Option<Uuid>>,
}

/// Which publisher named an aggregate first.
#[derive(Clone, Copy)]
enum State {
    /// None.
    Unknown,
    /// Our own.
    Ours,
    /// An external publisher; with the event that created it, if that has arrived.
    External(Option<Uuid>),
}

impl Aggregates {
    /// Loads the aggregates of these events.
    pub async fn load(
        connection: &mut PgConnection,
        events: impl Iterator<Item = &Event>,
    ) -> sqlx::Result<Self> {
        let keys: Vec<Key> = events.map(key).collect();
        let (topics, ids): (Vec<String>, Vec<i64>) =
            keys.iter().map(|(topic, id)| ((*topic).to_owned(), *id)).unzip();
        let rows = sqlx::query_file!("src/external/aggregates.sql", &topics, &ids)
            .fetch_all(connection)
            .await?;
        let states = rows.into_iter().filter_map(|row| {
            let state = match (row.is_external, row.is_in_view) {
                (true, true) => State::External(row.created_by),
                // Its row was removed by hand, or its event was never applied.
                (true, false) => State::External(None),
                (false, true) => State::Ours,
                (false, false) => State::Unknown,
            };
            Some(((row.topic.parse::<Topic>().ok()?.name(), row.id), state))
        });
        Ok(Self { states: states.collect(), new: BTreeMap::new() })
    }

    /// Checks whether a new external event may be applied; the error is the reason. A creating
    /// event is applied if no other event has created the aggregate.
    pub fn check(&mut self, event: &Event) -> Result<(), String> {
        let (key, id) = (key(event), event.envelope.event_id);
        let kind = event.payload.event_type();
        let state = self.states.entry(key).or_insert(State::Unknown);
        let creator = kind.creates().then_some(id);
        match (*state, creator) {
            (State::Ours, Some(_)) => return Err(created_by_shop(kind, key.1)),
            (State::External(Some(other)), Some(id)) if other != id => {
                return Err(created_by_event(kind, key.1, other));
            }
            (State::Ours | State::External(Some(_)), _) | (State::External(None), None) => {}
            (State::Unknown | State::External(None), creator) => {
                *state = State::External(creator);
                self.new.insert(key, creator);
            }
        }
        Ok(())
    }

    /// Stores the aggregates that this batch names first.
    pub async fn record(self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.new.is_empty() {
            return Ok(());
        }
        let topics: Vec<String> = self.new.keys().map(|(topic, _)| (*topic).to_owned()).collect();
        sqlx::query_file!(
            "src/external/record_aggregates.sql",
            &topics,
            &self.new.keys().map(|(_, id)| *id).collect::<Vec<_>>(),
            &self.new.values().copied().collect::<Vec<_>>() as _,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

fn key(event: &Event) -> Key {
    (event.payload.topic().name(), event.payload.aggregate_id())
}
