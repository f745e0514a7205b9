//! Services stop on SIGTERM. They complete requests in progress first.

use crate::harness::database::LOCK_WAITS;
use crate::harness::{Response, Shop, assert_views_agree, client, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn services_stop_despite_an_unfinished_request() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    let mut unfinished = TcpStream::connect(shop.command.address("api").await).await.unwrap();
    unfinished.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    for service in shop.services_mut() {
        service.signal("TERM");
        assert!(service.wait_for_exit().await.success());
    }
    shop.stop().await;
}

#[tokio::test]
async fn requests_in_progress_are_completed_before_a_service_stops() {
    let mut shop = Shop::start().await;
    let product = shop.product("Held", "5", 100).await;
    let lock = shop.databases.lock_rows("SELECT FROM products FOR UPDATE").await;
    let address = shop.command.address("api").await;
    let change = client().put(format!("http://{address}/api/products/{product}/price"));
    let change = change.header("content-type", "application/json").body(r#"{"price":6}"#);
    let changing = tokio::spawn(Response::to(change));
    shop.databases.wait_for_write(LOCK_WAITS, 1).await;
    shop.command.signal("TERM");
    eventually(async || {
        let refused = TcpStream::connect(&address).await.is_err();
        if refused { Ok(()) } else { Err("still listening") }
    })
    .await;
    lock.rollback().await.unwrap();
    changing.await.unwrap().unwrap().assert_status(200);
    assert!(shop.command.wait_for_exit().await.success());
    shop.command.restart();
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
