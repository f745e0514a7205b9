//! Services stop when they are asked to.

use crate::harness::Shop;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn services_stop_when_asked_to() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    // A client that never finishes its request does not keep them from it.
    let mut unfinished = TcpStream::connect(shop.command.address("api").await).await.unwrap();
    unfinished.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    for service in [&mut shop.command, &mut shop.consumer, &mut shop.query] {
        service.signal("TERM");
        assert!(service.wait_for_exit().await.success());
    }
    shop.stop().await;
}
