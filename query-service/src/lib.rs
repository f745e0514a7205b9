//! The read side of CQRS: serves queries from the views of the read database.

mod config;
mod database;
mod event_waiting;
mod lookup;
mod metrics;
mod openapi;
mod read_probe;
mod read_your_writes;
mod router;
mod state;
mod sync_status;
mod topology;
mod views;

pub use config::Config;
use event_waiting::EventWaiting;
use service_runtime::clock::Clock;
use service_runtime::service::Service;
use service_runtime::{health_check, http, postgres, server};
use state::AppState;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

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
    let mut service = Service::start("query-service", metrics::ALL, &config.common)?;
    let Service { tasks, health, guard, .. } = &mut service;
    let shutdown = tasks.shutdown();
    let (pool, lists) = database::pools(&config.database, config.connections);

    let (event_waiting, watching) = EventWaiting::watch(&pool, shutdown.clone());
    tasks.spawn("event waiting", watching);

    // Before `/health` is served, which would be ok without a dependency.
    let (able, database) = (health.critical("queries"), health.critical("database"));
    let clock = Clock::new(health);
    let trying =
        postgres::recovery::watch(pool.clone(), read_probe::try_to_read, able, shutdown.clone());
    tasks.spawn("queries", trying);
    tasks.spawn("sync status", sync_status::watch(pool.clone(), shutdown.clone()));

    let routes = router::served(AppState::new(&pool, lists), event_waiting);
    let api = openapi::API.authorized(guard, health, routes)?;
    let address = (config.address, config.port).into();
    tasks.spawn("api", http::serve("api", address, api, shutdown.clone()).await?);
    service.serve_operations(config.operations_port, OpenApiRouter::default()).await?;

    let Service { mut tasks, .. } = service;
    tasks.spawn("database", async move {
        if postgres::wait_for_sessions(&config.database, &database, &shutdown).await {
            // Fails until the consumer service has created the schema.
            let probe = "SELECT FROM public.sync_status";
            postgres::watch(config.database, probe, database, clock, shutdown).await;
        }
    });
    tasks.run().await
}

/// The OpenAPI document of the API.
pub fn openapi() -> OpenApi {
    openapi::API.openapi(router::routes().into_openapi())
}

/// The OpenAPI document of the operations port.
pub fn operations_openapi() -> OpenApi {
    server::operations_openapi("Query service: operations", OpenApi::default())
}
