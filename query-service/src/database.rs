//! The read database, as this service uses it.

use service_runtime::postgres;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// A pool that can only read, and that finds the views even on connections
/// made before the schema was.
pub fn pool(options: &PgConnectOptions, connections: u32) -> PgPool {
    let options = options
        .clone()
        .options([("default_transaction_read_only", "on"), ("search_path", "live,public")]);
    postgres::pool(&options, "query-service", connections)
}
