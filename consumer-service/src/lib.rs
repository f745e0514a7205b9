//! The consumer service: an idempotent consumer that applies events to the views of the read
//! database, each exactly once in effect.

mod apply;
mod batch_spans;
mod commit_notifier;
mod config;
mod dead_letter_admin;
mod dead_letter_reasons;
mod dead_letters;
mod decoded_message;
mod delivery;
mod external;
mod metrics;
#[cfg(test)]
mod model_tests;
mod prefetch;
mod progress;
mod projections;
mod retention;
#[cfg(test)]
mod test_database;
mod view_registration;
mod watermarks;

use commit_notifier::CommitNotifier;
pub use config::Config;
use delivery::Consumer;
use futures::future::join_all;
use service_runtime::clock::Clock;
use service_runtime::service::Service;
use service_runtime::{health_check, postgres, server};
use utoipa::openapi::OpenApi;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../db/read");

/// The OpenAPI document of the operations port.
pub fn operations_openapi() -> OpenApi {
    let routes = dead_letter_admin::routes().into_openapi();
    server::operations_openapi("Consumer service: operations", routes)
}

/// Limits of a batch's statements, which usually take milliseconds. After a timeout the batch is
/// applied in smaller parts. The timeout is shorter than `apply::DEADLINE`. A statement ends
/// within a second after its connection is closed, so that it does not keep its locks.
const STATEMENT_LIMITS: [(&str, &str); 2] =
    [("statement_timeout", "20s"), ("client_connection_check_interval", "1s")];

/// Reads the settings and runs the service until shutdown. `#[tokio::main]` makes it a function
/// that is not `async`, which the program would compile once more.
///
/// # Errors
/// The service cannot start, or one of its tasks failed.
#[tokio::main]
pub async fn run() -> anyhow::Result<()> {
    let mut config: Config = service_runtime::config::read();
    config.database = config.login.apply(config.database);
    if config.common.health_check {
        return health_check::check(config.operations_port).await;
    }
    let mut service = Service::start("consumer-service", metrics::ALL, &config.common)?;
    let options = postgres::named(&config.database, "consumer-service")
        .options(postgres::INDEX_SCANS_ONLY)
        .options(STATEMENT_LIMITS);
    let pool = postgres::pool(options, config.connections);
    let notifier = CommitNotifier::default();

    // Before `/health` is served, which would be ok without a dependency.
    let Service { tasks, health, .. } = &service;
    let shutdown = tasks.shutdown();
    let broker = config.broker.url();
    let consumers = delivery::consumers(&broker, &pool, &notifier, config.batch, health, &shutdown);
    let (database, clock) = (health.critical("database"), Clock::new(health));

    let state = dead_letter_admin::AdminState { pool: pool.clone(), notifier: notifier.clone() };
    let routes = dead_letter_admin::routes().with_state(state);
    service.serve_operations(config.operations_port, routes).await?;

    let record_retention = config.record_retention();
    let Service { mut tasks, .. } = service;
    tasks.spawn("database", async move {
        let options = config.database;
        let is_ready = postgres::wait_for_sessions(&options, &database, &shutdown).await
            && postgres::migrate(&options, &MIGRATIONS, &database, &shutdown).await
            && view_registration::register(&pool, &database, &shutdown).await;
        if !is_ready {
            return;
        }
        let probe = "SELECT FROM public.sync_status";
        tokio::join!(
            postgres::watch(options, probe, database, clock.clone(), shutdown.clone()),
            async {
                // Event times are compared with the clock of the database.
                if shutdown.run_until_cancelled(clock.known()).await.is_some() {
                    join_all(consumers.iter().map(Consumer::run)).await;
                }
            },
            notifier.run(pool.clone(), shutdown.clone()),
            dead_letters::count(pool.clone(), shutdown.clone()),
            watermarks::watch(&clock, shutdown.clone()),
            retention::prune_old(pool, record_retention, shutdown.clone()),
        );
    });
    tasks.run().await
}
