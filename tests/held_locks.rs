//! A product that somebody holds locked holds up nobody but its own orders.

use crate::harness::{Shop, eventually};
use futures::future::join_all;

#[tokio::test]
async fn orders_of_other_products_go_on_beside_a_held_lock() {
    let shop = Shop::open().await;
    let (held, free) = (shop.product("Held", "5", 100).await, shop.product("Free", "5", 100).await);
    let mut operator = shop.databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM products WHERE id = $1 FOR UPDATE")
        .bind(held)
        .execute(&mut *operator)
        .await
        .unwrap();

    let waiting = join_all((0..20).map(|customer| shop.order(customer + 1, held, 1)));
    let others = async {
        for customer in 0..50 {
            let answer = shop.order(customer + 1, free, 1).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
        let body = r#"{"name":"New","category":"Free","price":1}"#;
        assert_eq!(shop.post("/api/products", body).await.status, 201);
        assert_eq!(shop.command.health().await.status, 200);
    };
    let (refused, ()) = tokio::join!(waiting, others);
    // Told to come again, rather than left waiting.
    for answer in refused {
        assert_eq!(answer.status, 503, "{}", answer.text);
    }
    operator.rollback().await.unwrap();
    eventually(async || {
        let answer = shop.order(1, held, 1).await;
        if answer.status == 201 { Ok(()) } else { Err(answer.text) }
    })
    .await;
    shop.close().await;
}
