//! Answers that are lost: to a COMMIT, and to a command.

use super::environment::Stage;
use super::load::{PATIENCE, place};
use crate::harness::{Direction, within};

/// A customer whom nobody else orders for.
const CUSTOMER: i64 = 1_000_000;

/// The order lane loses its connection while an order commits. The client is told
/// that nobody knows, asks again, and is given the order that was committed.
pub async fn of_commit(stage: &mut Stage) {
    stage.load.pause().await;
    slow_commits(stage).await;
    let product = *stage.load.ledger.books().products.keys().next().unwrap();
    let mut client = stage.load.client("alone".to_owned(), stage.random.fork());
    let unknown = || stage.load.ledger.books().unknown;
    let before = unknown();
    let body =
        format!(r#"{{"customerId":{CUSTOMER},"items":[{{"productId":{product},"quantity":1}}]}}"#);
    let ordering = place(&mut client, CUSTOMER, &body);
    let link = &stage.links.command_write;
    let breaking = async {
        let committing = "SELECT count(*) FROM pg_stat_activity
                          WHERE datname = current_database() AND wait_event = 'PgSleep'";
        stage.written_above(0, committing).await;
        link.hold(Direction::ToClient).await;
        let committed = "SELECT count(*) FROM orders WHERE customer_id = 1000000";
        stage.written_above(0, committed).await;
        link.cut().await;
        within(PATIENCE, async || if unknown() > before { Ok(()) } else { Err("known") }).await;
        link.open().await;
    };
    let (placed, ()) = tokio::join!(ordering, breaking);
    let there: Vec<i64> = sqlx::query_scalar("SELECT id FROM orders WHERE customer_id = $1")
        .bind(CUSTOMER)
        .fetch_all(&stage.shop.databases.write)
        .await
        .unwrap();
    assert_eq!(there, placed.into_iter().collect::<Vec<_>>(), "the order that was committed");
    sqlx::raw_sql("DROP FUNCTION take_time CASCADE")
        .execute(&stage.shop.databases.write)
        .await
        .unwrap();
    stage.load.resume();
}

/// Makes COMMIT take long enough to be caught at it.
async fn slow_commits(stage: &Stage) {
    let slow = "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM pg_sleep(0.7);
                    RETURN NULL;
                END
                $$;
                CREATE CONSTRAINT TRIGGER take_time AFTER INSERT ON orders
                DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION take_time()";
    sqlx::raw_sql(slow).execute(&stage.shop.databases.write).await.unwrap();
}

/// The links between clients and the command service lose responses, again and again.
pub async fn of_answers(stage: &mut Stage) {
    for _ in 0..6 {
        let placed = "SELECT count(*) FROM orders";
        stage.fronts[0].hold(Direction::ToClient).await;
        // Those that wait are six at most; this one is not answered any more.
        let before = stage.load.ledger.books().orders.len() as i64;
        stage.written_above(before, placed).await;
        stage.fronts[0].cut().await;
        stage.fronts[0].open().await;
        let orders = stage.random.usize(5..40);
        stage.load.answered(orders).await;
    }
}
