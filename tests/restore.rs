//! The commands of "Restore a backup" in docs/runbooks.md restore both databases.

use crate::harness::{Databases, Response, Shop, account, assert_views_agree, client};
use shared_events::Topic;
use sqlx::{Connection, PgConnection};
use std::cell::Cell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::process::Command;

const DOCS: &str = include_str!("../docs/runbooks.md");

/// The documented commands that start with this program, for the databases of a test.
fn documented(program: &str, databases: &Databases) -> String {
    let start = format!("```sh\n{program} ");
    let (_, block) = DOCS.split_once(&start).unwrap_or_else(|| panic!("no {program} in the docs"));
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

/// Runs shell commands in a folder that contains `db/`.
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

/// Creates a user, a product, and orders with several statuses. Returns the product.
async fn create_data(shop: &Shop) -> i64 {
    let user = shop.user("Ada", "ada@example.com").await.integer("userId");
    shop.post("/api/accounts", &account(user, "1 Main St")).await.assert_status(201);
    let product = shop.product("Tea", "4.5", 100_000).await;
    for statuses in [&["CANCELLED"][..], &["PAID", "REFUNDED"], &["SHIPPED"]] {
        let order = shop.place_order(7, product, 3).await;
        for status in statuses {
            shop.set_status(order, status).await.assert_status(200);
        }
    }
    product
}

/// Asserts that a role owns all relations and functions.
async fn assert_owned_by(url: &str, role: &str) {
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
async fn the_documented_commands_restore_both_databases() {
    let mut shop = Shop::start().await;
    let product = create_data(&shop).await;
    shop.caught_up().await;
    let folder = folder();

    // Clients place orders during the dumps, so that the later one contains more of them.
    let (backup, done) = (documented("pg_dump", &shop.databases), Cell::new(false));
    let dumping = async {
        run(&backup, &folder).await;
        done.set(true);
    };
    let ordering = async {
        while !done.get() {
            shop.place_order(8, product, 1).await;
        }
    };
    tokio::join!(dumping, ordering);

    // All data is lost, including the broker's.
    for service in shop.services_mut() {
        service.kill();
    }
    for topic in Topic::ALL {
        shop.broker.delete_queue(topic.name()).await;
    }
    shop.databases.delete().await;

    run(&documented("createdb", &shop.databases), &folder).await;
    let [write, read] = shop.databases.urls();
    assert_owned_by(&write, "command_service").await;
    assert_owned_by(&read, "consumer_service").await;
    for service in shop.services_mut() {
        service.restart();
    }
    shop.healthy().await;
    let replay = "curl -X POST localhost:9080/admin/replay";
    assert!(DOCS.contains(replay), "{replay}");
    let url = shop.command.url("operations", "/admin/replay").await;
    Response::to(client().post(url)).await.unwrap().assert_status(202);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;

    // Everything in the dump is restored, and new orders are accepted.
    let orders = shop.databases.query_write("SELECT count(*) FROM orders").await;
    assert!(orders > 3, "no order was placed during the dump");
    assert_eq!(shop.databases.query_read("SELECT count(*) FROM orders_read").await, orders);
    let order = shop.place_order(9, product, 1).await;
    shop.caught_up().await;
    shop.wait_until_found(&format!("/api/orders/{order}")).await;
    let url = shop.databases.url_as("query_service");
    let mut query = PgConnection::connect(&url).await.unwrap();
    assert!(sqlx::raw_sql("DELETE FROM orders_read").execute(&mut query).await.is_err());
    query.close().await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    shop.stop().await;
}
