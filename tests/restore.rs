//! The commands of "Restore a backup" in docs/runbooks.md restore both databases.

use crate::harness::{Databases, Servers, Shop, assert_views_agree, client};
use lapin::options::QueueDeleteOptions;
use shared_events::Topic;
use sqlx::{Connection, PgConnection};
use std::cell::Cell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::process::Command;

const DOCS: &str = include_str!("../docs/runbooks.md");

/// The documented commands that begin with this program, for the databases of a test.
fn documented(program: &str, databases: &Databases) -> String {
    let begin = format!("```sh\n{program} ");
    let (_, block) = DOCS.split_once(&begin).unwrap_or_else(|| panic!("no {program} in the docs"));
    let (block, _) = block.split_once("\n```").unwrap();
    let [write, read] = databases.urls();
    let mut commands = format!("{program} {block}");
    for (url, server, name) in
        [(write, "localhost:5432", "write_db"), (read, "localhost:5433", "read_db")]
    {
        let (server_url, own_name) = url.rsplit_once('/').unwrap();
        let own_server = server_url.rsplit_once('@').unwrap().1;
        commands = commands
            .replace(&format!("{server}/{name}"), &format!("{own_server}/{own_name}"))
            .replace(&format!("{server}/postgres {name}"), &format!("{server}/postgres {own_name}"))
            .replace(server, own_server);
    }
    commands
}

/// Runs commands as an operator does, in a folder that contains `db/`.
async fn run(commands: &str, folder: &Path) {
    let programs = env::var("POSTGRES_PROGRAMS").unwrap();
    let path = format!("{programs}:{}", env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-ec", commands])
        .current_dir(folder)
        .env("PATH", path)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn folder() -> PathBuf {
    let folder = env::temp_dir().join(format!("restore-{}", uuid::Uuid::now_v7()));
    fs::create_dir(&folder).unwrap();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::os::unix::fs::symlink(project.join("db"), folder.join("db")).unwrap();
    folder
}

/// Users, products, and orders of every final status.
async fn trade(shop: &Shop) -> i64 {
    let user = shop.post("/api/users", r#"{"name":"Ada","email":"ada@example.com"}"#).await;
    let account = format!(
        r#"{{"userId":{},"address1":"1 Main St","city":"Ely","state":"MN","zip":"55731"}}"#,
        user.integer("userId")
    );
    assert_eq!(shop.post("/api/accounts", &account).await.status, 201);
    let product = shop.product("Tea", "4.5", 100_000).await;
    for ends in [&["CANCELLED"][..], &["PAID", "REFUNDED"], &["SHIPPED"]] {
        let order = shop.order(7, product, 3).await.integer("orderId");
        for status in ends {
            let path = format!("/api/orders/{order}/status");
            let body = format!(r#"{{"status":"{status}"}}"#);
            assert_eq!(shop.command(reqwest::Method::PUT, &path, &body).await.status, 200);
        }
    }
    product
}

/// Every relation and function belongs to the service that creates it.
async fn owned_by(url: &str, role: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT relowner::regrole::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace
         UNION
         SELECT DISTINCT proowner::regrole::text FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(owners, [role]);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn both_databases_are_restored_as_documented() {
    let mut shop = Shop::start().await;
    let product = trade(&shop).await;
    shop.caught_up().await;
    let folder = folder();

    // Orders go on: the later dump has some that the earlier one lacks.
    let (backup, done) = (documented("pg_dump", &shop.databases), Cell::new(false));
    let dumping = async {
        run(&backup, &folder).await;
        done.set(true);
    };
    let ordering = async {
        while !done.get() {
            assert_eq!(shop.order(8, product, 1).await.status, 201);
        }
    };
    tokio::join!(dumping, ordering);

    // All data is lost, including the broker's.
    for service in [&mut shop.command, &mut shop.consumer, &mut shop.query] {
        service.kill();
    }
    let (connection, channel) = shop.broker.channel().await;
    for topic in Topic::ALL {
        channel.queue_delete(topic.name().into(), QueueDeleteOptions::default()).await.unwrap();
    }
    connection.close(200, "bye".into()).await.unwrap();
    shop.databases.delete().await;

    run(&documented("createdb", &shop.databases), &folder).await;
    let [write, read] = shop.databases.urls();
    owned_by(&write, "command_service").await;
    owned_by(&read, "consumer_service").await;
    for service in [&mut shop.command, &mut shop.consumer, &mut shop.query] {
        service.restart();
        service.healthy().await;
    }
    let replay = "curl -X POST localhost:9080/admin/replay";
    assert!(DOCS.contains(replay), "{replay}");
    let operations = shop.command.address("operations").await;
    let replayed = client().post(format!("http://{operations}/admin/replay")).send().await.unwrap();
    assert_eq!(replayed.status(), 202);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;

    // Everything in the dump is restored, and new orders are accepted.
    let orders = shop.databases.query_write("SELECT count(*) FROM orders").await;
    assert!(orders > 3, "no order was placed during the dump");
    assert_eq!(shop.databases.query_read("SELECT count(*) FROM orders_read").await, orders);
    let placed = shop.order(9, product, 1).await;
    assert_eq!(placed.status, 201, "{}", placed.text);
    shop.caught_up().await;
    shop.wait_until_found(&format!("/api/orders/{}", placed.integer("orderId"))).await;
    let mut query =
        PgConnection::connect(&shop.databases.query_url(Servers::of_environment().read_port()))
            .await
            .unwrap();
    assert!(sqlx::raw_sql("DELETE FROM orders_read").execute(&mut query).await.is_err());
    query.close().await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    shop.stop().await;
}
