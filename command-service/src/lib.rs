//! The command service: takes commands over HTTP, writes rows and an outbox
//! entry in one transaction, and publishes the outbox to the broker.

mod answer;
mod command_kind;
mod config;
#[cfg(test)]
mod database_tests;
mod idempotency;
mod metrics;
mod names;
mod openapi;
mod orders;
mod outbox;
mod products;
mod request;
mod router;
mod transactions;
mod users;
mod write_probe;

pub use config::Config;
use idempotency::InFlight;
pub use openapi::{openapi, operations_openapi};
use orders::Lane;
use outbox::{Publisher, Replays, Room};
use router::Commands;
use service_runtime::auth::Guard;
use service_runtime::clock::Clock;
use service_runtime::health::{Health, Need};
use service_runtime::tasks::Tasks;
use service_runtime::{health_check, http, postgres, recovery, sessions, telemetry};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../db/write");

/// The database ends a command's statement that takes longer. Sooner than commands are
/// given up: what was ended had no effect.
const STATEMENT_TIMEOUT: (&str, &str) = ("statement_timeout", "8s");

/// Runs the service until it is told to stop.
///
/// # Errors
/// The service cannot start, or one of its tasks failed.
pub async fn run(mut config: Config) -> anyhow::Result<()> {
    config.database = config.login.apply(config.database);
    if config.common.health_check {
        return health_check::ask(config.operations_port).await;
    }
    telemetry::start("command-service", &config.common)?;

    let mut tasks = Tasks::default();
    let shutdown = tasks.shutdown();
    // Before anything is measured, such as the parts of health.
    let metrics = metrics::install(shutdown.clone())?;
    let health = Health::default();
    let replays = Replays::new(&config.database, config.broker.url(), shutdown.clone());
    let guard = Guard::open(&config.common.auth, &config.common.traffic, &health, &mut tasks)?;
    let operations =
        openapi::OPERATIONS.guarded(&guard, &health, metrics, outbox::routes().with_state(replays));
    let options = postgres::named(&config.database, "command-service");
    let pool = postgres::pool(options.options([STATEMENT_TIMEOUT]), config.connections);
    let committed = Arc::new(Notify::new());

    let api_ended = CancellationToken::new();
    let (lane, lane_task) = Lane::open(
        &config.database,
        config.order_price_policy,
        committed.clone(),
        api_ended.clone(),
    );
    let cancellations = Arc::new(Semaphore::new(orders::CANCELLATIONS));
    let in_flight = InFlight::default();
    let room = Room::new(config.outbox_limit);
    let commands = Commands {
        pool: pool.clone(),
        lane,
        cancellations,
        in_flight,
        room: room.clone(),
        committed: committed.clone(),
    };

    let api = openapi::API.guarded(&guard, &health, router::routes().with_state(commands))?;
    let address = (config.address, config.port).into();
    let api = http::serve("api", address, api, shutdown.clone()).await?;
    tasks.spawn("api", async move {
        let _ending = api_ended.drop_guard();
        api.await
    });
    let address = (config.common.operations_address, config.operations_port).into();
    tasks.spawn(
        "operations",
        http::serve("operations", address, operations, shutdown.clone()).await?,
    );
    tasks.spawn("orders", lane_task);

    let publisher = Publisher::new(
        &config.database,
        config.broker.url(),
        committed,
        health.part("broker", Need::Useful),
        health.part("publisher", Need::Useful),
        shutdown.clone(),
    );
    let database = health.part("database", Need::Vital);
    let clock = Clock::new(&health);
    let outbox = health.part("outbox", Need::Vital);
    let able = health.part("commands", Need::Vital);
    tasks.spawn("database", async move {
        if sessions::wait_for(&config.database, &database, &shutdown).await
            && postgres::migrate(&config.database, &MIGRATIONS, &database, &shutdown).await
        {
            let probe = "SELECT FROM outbox LIMIT 0";
            let ending = shutdown.clone();
            let watch = postgres::watch(config.database, probe, database, clock, shutdown);
            tokio::join!(
                watch,
                recovery::watch(pool.clone(), write_probe::try_to_write, able, ending.clone()),
                publisher.run(),
                room.watch(pool.clone(), outbox, ending.clone()),
                idempotency::forget_old(pool, ending),
            );
        }
        Ok(())
    });
    tasks.run().await
}
