//! Read-only connections to the read database.

use service_runtime::postgres;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// Connections for lists.
const LIST_CONNECTIONS: u32 = 5;

/// Connections that plan each execution of a statement for its parameters, so that an unused
/// filter costs nothing and a used one finds its index.
#[derive(Clone, Debug)]
pub struct Lists(pub PgPool);

/// Two pools that connect on first use: one with cached plans and up to `connections`, and one
/// for lists.
pub fn pools(options: &PgConnectOptions, connections: u32) -> (PgPool, Lists) {
    let options = options.clone().options([
        ("default_transaction_read_only", "on"),
        // Results are small, so compiling a statement takes longer than running it.
        ("jit", "off"),
        // No request waits longer.
        ("statement_timeout", "10s"),
    ]);
    let lists = options.clone().options([("plan_cache_mode", "force_custom_plan")]);
    (
        postgres::pool(postgres::named(&options, "query-service"), connections),
        Lists(postgres::pool(postgres::named(&lists, "query-service lists"), LIST_CONNECTIONS)),
    )
}
