//! The consumer service: applies each event exactly once in effect to the
//! views of the read database.

mod announcement;
mod apply;
mod batch_spans;
mod config;
mod dead_letters;
mod delivery;
mod external;
mod incoming;
mod metrics;
#[cfg(test)]
mod model_tests;
mod prefetch;
mod progress;
mod projections;
mod registration;
mod retention;
mod watermarks;

use announcement::Announcer;
pub use config::Config;
use delivery::Consumer;
use service_runtime::auth::Guard;
use service_runtime::clock::Clock;
use service_runtime::health::{Health, Need};
use service_runtime::server::Operations;
use service_runtime::tasks::Tasks;
use service_runtime::{health_check, http, postgres, sessions, telemetry};
use utoipa::openapi::OpenApi;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../db/read");

/// The operations port.
const OPERATIONS: Operations = Operations { title: "Consumer service: operations" };

/// The OpenAPI document of the operations port.
pub fn operations_openapi() -> OpenApi {
    OPERATIONS.openapi(dead_letters::routes().into_openapi())
}

/// Limits of a batch's statements, which usually take milliseconds. After a timeout the
/// batch is applied in smaller parts. The timeout is shorter than `apply::DEADLINE`; a
/// statement also ends within a second after its connection is closed, so that it does
/// not keep its locks.
const STATEMENT_LIMITS: [(&str, &str); 2] =
    [("statement_timeout", "20s"), ("client_connection_check_interval", "1s")];

/// Runs the service until it is told to stop.
///
/// # Errors
/// The service cannot start, or one of its tasks failed.
pub async fn run(mut config: Config) -> anyhow::Result<()> {
    config.database = config.login.apply(config.database);
    if config.common.health_check {
        return health_check::ask(config.operations_port).await;
    }
    telemetry::start("consumer-service", &config.common)?;

    let mut tasks = Tasks::default();
    let shutdown = tasks.shutdown();
    // Before anything is measured, such as the parts of health.
    let metrics = metrics::install(shutdown.clone())?;
    let health = Health::default();
    let options = postgres::named(&config.database, "consumer-service")
        .options(postgres::KEY_BY_KEY)
        .options(STATEMENT_LIMITS);
    let pool = postgres::pool(options, config.connections);
    let announcer = Announcer::default();
    let guard = Guard::open(&config.common.auth, &config.common.traffic, &health, &mut tasks)?;
    let letters = dead_letters::Letters { pool: pool.clone(), announcer: announcer.clone() };
    let operations =
        OPERATIONS.guarded(&guard, &health, metrics, dead_letters::routes().with_state(letters));
    let address = (config.common.operations_address, config.operations_port).into();
    tasks.spawn(
        "operations",
        http::serve("operations", address, operations, shutdown.clone()).await?,
    );

    let dedupe_memory = config.dedupe_memory();
    let consumer = Consumer::new(
        config.broker.url(),
        pool.clone(),
        announcer.clone(),
        config.batch,
        &health,
        shutdown.clone(),
    );
    let database = health.part("database", Need::Vital);
    let clock = Clock::new(&health);
    tasks.spawn("database", async move {
        if sessions::wait_for(&config.database, &database, &shutdown).await
            && postgres::migrate(&config.database, &MIGRATIONS, &database, &shutdown).await
            && registration::register(&pool, &database, &shutdown).await
        {
            let watch = postgres::watch(
                config.database,
                "SELECT FROM public.sync_status",
                database,
                clock.clone(),
                shutdown.clone(),
            );
            tokio::join!(
                watch,
                async {
                    // Times are compared with the database's clock.
                    if shutdown.run_until_cancelled(clock.known()).await.is_some() {
                        consumer.run().await;
                    }
                },
                announcer.run(pool.clone(), shutdown.clone()),
                dead_letters::count(pool.clone(), shutdown.clone()),
                watermarks::watch(&clock, shutdown.clone()),
                retention::forget_old(pool, dedupe_memory, shutdown.clone()),
            );
        }
        Ok(())
    });
    tasks.run().await
}
