//! Lost responses: to COMMIT and to commands.

use super::environment::Environment;
use super::load::{RECOVERY_DEADLINE, place};
use crate::harness::database::SLEEPING;
use crate::harness::{Direction, execute, within};

/// A customer of no other client.
const CUSTOMER: i64 = 1_000_000;

/// The order batcher loses its connection during COMMIT. The client gets `Outcome unknown`,
/// repeats the request, and gets the committed order.
pub async fn commit(environment: &mut Environment) {
    environment.load.pause().await;
    delay_commits(environment).await;
    let product = *environment.load.ledger.entries().products.keys().next().unwrap();
    let mut client = environment.load.client("alone".to_owned(), environment.random.fork());
    let unknown = || environment.load.ledger.entries().unknown;
    let before = unknown();
    let body =
        format!(r#"{{"customerId":{CUSTOMER},"items":[{{"productId":{product},"quantity":1}}]}}"#);
    let ordering = place(&mut client, CUSTOMER, &body);
    let link = &environment.links.command_write;
    let breaking = async {
        environment.wait_for_more_than(0, SLEEPING).await;
        link.hold(Direction::ToClient).await;
        let committed = "SELECT count(*) FROM orders WHERE customer_id = 1000000";
        environment.wait_for_more_than(0, committed).await;
        link.cut().await;
        within(RECOVERY_DEADLINE, async || {
            if unknown() > before { Ok(()) } else { Err("no unknown outcome") }
        })
        .await;
        link.open().await;
    };
    let (placed, ()) = tokio::join!(ordering, breaking);
    let existing: Vec<i64> = sqlx::query_scalar("SELECT id FROM orders WHERE customer_id = $1")
        .bind(CUSTOMER)
        .fetch_all(&environment.shop.databases.write)
        .await
        .unwrap();
    assert_eq!(existing, placed.into_iter().collect::<Vec<_>>(), "the committed order");
    execute(&environment.shop.databases.write, "DROP FUNCTION delay_commit CASCADE").await;
    environment.load.resume();
}

/// Makes COMMIT slow, so that the connection can be broken during it.
async fn delay_commits(environment: &Environment) {
    let slow = "CREATE FUNCTION delay_commit() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM pg_sleep(0.7);
                    RETURN NULL;
                END
                $$;
                CREATE CONSTRAINT TRIGGER delay_commit AFTER INSERT ON orders
                DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION delay_commit()";
    execute(&environment.shop.databases.write, slow).await;
}

/// The link between clients and command service loses responses, six times.
pub async fn responses(environment: &mut Environment) {
    for _ in 0..6 {
        let placed = "SELECT count(*) FROM orders";
        environment.client_links[0].hold(Direction::ToClient).await;
        // At most six orders wait for a response. These never get one.
        let before = environment.load.ledger.entries().orders.len() as i64;
        environment.wait_for_more_than(before, placed).await;
        environment.client_links[0].cut().await;
        environment.client_links[0].open().await;
        let orders = environment.random.usize(5..40);
        environment.load.wait_for_orders(orders).await;
    }
}
