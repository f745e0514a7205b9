//! The write side of CQRS: accepts commands over HTTP, writes rows and an outbox entry in
//! one transaction, and publishes the outbox to the broker.

mod command_kind;
mod config;
#[cfg(test)]
mod database_tests;
mod formats;
mod idempotency;
mod leadership;
mod metrics;
mod openapi;
mod orders;
mod origin;
mod outbox;
mod products;
mod request;
mod response;
mod router;
mod state;
mod transactions;
mod users;
mod write_probe;

pub use config::Config;
use futures::future::OptionFuture;
use idempotency::InFlight;
pub use openapi::{openapi, operations_openapi};
use orders::{Expiry, OrderBatcher};
use outbox::{OutboxLimiter, Publisher, Replays};
use service_runtime::clock::Clock;
use service_runtime::service::Service;
use service_runtime::{health_check, http, postgres};
use state::AppState;
use std::sync::Arc;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../db/write");

/// The database cancels a slower statement of a command. Shorter than the deadline of
/// commands, because a cancelled statement had no effect.
const STATEMENT_TIMEOUT: (&str, &str) = ("statement_timeout", "8s");

/// Reads the settings and runs the service until shutdown. It is not `async`: the program would
/// compile an `async` function once more, with everything in it.
///
/// # Errors
/// The service cannot start, or one of its tasks failed.
pub fn run() -> anyhow::Result<()> {
    let config: Config = service_runtime::config::read();
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(config.threads).enable_all().build()?.block_on(serve(config))
}

async fn serve(mut config: Config) -> anyhow::Result<()> {
    config.database = config.login.apply(config.database);
    if config.common.health_check {
        return health_check::check(config.operations_port).await;
    }
    let mut service = Service::start("command-service", metrics::ALL, &config.common)?;
    let api_ended = CancellationToken::new();
    let (state, orders) = open_state(&config, api_ended.clone());
    // Its dependencies are known before `/health` is served, which would be ok without them.
    let database_tasks = database_tasks(&config, &state, &service);
    serve_api(&config, state, api_ended, &mut service).await?;
    let replays = Replays::new(&config.database, config.broker.url(), service.tasks.shutdown());
    let routes = outbox::routes().with_state(replays);
    service.serve_operations(config.operations_port, routes).await?;
    let Service { mut tasks, .. } = service;
    tasks.spawn("orders", orders);
    tasks.spawn("database", database_tasks);
    tasks.run().await
}

/// The state of the handlers, and the task that places orders until the API has ended.
fn open_state(
    config: &Config,
    api_ended: CancellationToken,
) -> (AppState, impl Future<Output = ()> + Send + use<>) {
    let options = postgres::named(&config.database, "command-service");
    let committed = Arc::new(Notify::new());
    let (order_batcher, orders) = OrderBatcher::open(
        &config.database,
        config.order_price_policy,
        committed.clone(),
        api_ended,
    );
    let state = AppState {
        pool: postgres::pool(options.options([STATEMENT_TIMEOUT]), config.connections),
        order_batcher,
        in_flight: InFlight::default(),
        outbox_limiter: OutboxLimiter::new(config.outbox_limit),
        committed,
    };
    (state, orders)
}

async fn serve_api(
    config: &Config,
    state: AppState,
    api_ended: CancellationToken,
    Service { tasks, health, guard, .. }: &mut Service,
) -> anyhow::Result<()> {
    let routes = router::routes().with_state(state);
    let api = openapi::API.authorized(guard, health, routes)?;
    let address = (config.address, config.port).into();
    let api = http::serve("api", address, api, tasks.shutdown()).await?;
    tasks.spawn("api", async move {
        let _ending = api_ended.drop_guard();
        api.await;
    });
    Ok(())
}

/// Adds the dependencies to health. The future waits for the database and migrates it, then
/// publishes the outbox and checks the database until shutdown.
fn database_tasks(
    config: &Config,
    state: &AppState,
    Service { tasks, health, .. }: &Service,
) -> impl Future<Output = ()> + Send + use<> {
    let (shutdown, options) = (tasks.shutdown(), config.database.clone());
    let AppState { pool, outbox_limiter, committed, .. } = state.clone();
    let publisher = Publisher {
        database: config.database.clone(),
        broker: config.broker.url(),
        committed,
        broker_health: health.optional("broker"),
        health: health.optional("publisher"),
        shutdown: shutdown.clone(),
    };
    let expiry = config.unpaid_order_timeout.map(|timeout| Expiry {
        database: config.database.clone(),
        timeout,
        outbox_limiter: outbox_limiter.clone(),
        committed: publisher.committed.clone(),
        health: health.optional("expiry"),
        shutdown: shutdown.clone(),
    });
    let database = health.critical("database");
    let clock = Clock::new(health);
    let outbox = health.critical("outbox");
    let writable = health.critical("commands");
    async move {
        if postgres::wait_for_sessions(&options, &database, &shutdown).await
            && postgres::migrate(&options, &MIGRATIONS, &database, &shutdown).await
        {
            let probe = "SELECT FROM outbox LIMIT 0";
            let watch = postgres::watch(options, probe, database, clock, shutdown.clone());
            tokio::join!(
                watch,
                postgres::recovery::watch(
                    pool.clone(),
                    write_probe::try_to_write,
                    writable,
                    shutdown.clone()
                ),
                publisher.run(),
                OptionFuture::from(expiry.map(Expiry::run)),
                outbox_limiter.watch(pool.clone(), outbox, shutdown.clone()),
                idempotency::delete_old(pool, shutdown),
            );
        }
    }
}
