//! Tests the projections against a model of a shop: after random commands, with events in any
//! order and any repetition, the views show the state of the model.

mod expected_views;
mod shop;

use crate::apply::database_tests::{apply_in_batches, clear};
use expected_views::check;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use shared_events::Event;
use shop::{Command, Shop, commands};
use sqlx::PgPool;

/// Commands, keys that shuffle and repeat their events, and the size of batches.
type Case = (Vec<Command>, Vec<u16>, usize);

async fn holds(pool: &PgPool, (commands, keys, batch): &Case) -> Result<(), String> {
    let shop = Shop::after(commands);
    let mut stream: Vec<(u16, &Event)> = Vec::new();
    for (place, event) in shop.events.iter().enumerate() {
        let key = keys[place % keys.len()];
        stream.push((key, event));
        if key % 3 == 0 {
            stream.push((key.rotate_left(7), event));
        }
    }
    stream.sort_by_key(|(key, _)| *key);

    clear(pool).await;
    let events: Vec<Event> = stream.into_iter().map(|(_, event)| event.clone()).collect();
    apply_in_batches(pool, &events, *batch).await;
    check(pool, &shop).await
}

mod database_tests {
    use super::*;

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn views_equal_the_model_after_any_commands_and_any_order_of_events(pool: PgPool) {
        let cases = (commands(), prop::collection::vec(any::<u16>(), 100), 1..30_usize);
        let mut runner = TestRunner::deterministic();
        for _ in 0..60 {
            let mut tree = cases.new_tree(&mut runner).unwrap();
            let Err(mut difference) = holds(&pool, &tree.current()).await else { continue };
            // Find the simplest case that fails.
            let mut simplest = tree.current();
            let mut shrinking = tree.simplify();
            while shrinking {
                shrinking = match holds(&pool, &tree.current()).await {
                    Ok(()) => tree.complicate(),
                    Err(other) => {
                        (difference, simplest) = (other, tree.current());
                        tree.simplify()
                    }
                };
            }
            panic!("{difference}\nafter {:#?}", simplest.0);
        }
    }
}
