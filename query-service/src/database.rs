//! Connections to the read database.

use crate::views::ByKey;
use axum::extract::FromRef;
use service_runtime::postgres;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// Connections for lists.
const LIST_CONNECTIONS: u32 = 5;

/// Read-only connections.
#[derive(Clone, Debug)]
pub struct Database {
    /// For all queries except lists, with cached plans.
    pool: PgPool,
    lists: Lists,
    by_key: ByKey,
}

/// Connections that plan each execution of a statement for its parameters, so that an unused
/// filter costs nothing and a used one finds its index.
#[derive(Clone, Debug)]
pub struct Lists(pub PgPool);

impl Database {
    /// Connects on first use. `connections` is the limit of connections for queries other than
    /// lists.
    pub fn new(options: &PgConnectOptions, connections: u32) -> Self {
        let options = options.clone().options([
            ("default_transaction_read_only", "on"),
            // Results are small, so compiling a statement takes longer than running it.
            ("jit", "off"),
            // No request waits longer.
            ("statement_timeout", "10s"),
        ]);
        let lists = options.clone().options([("plan_cache_mode", "force_custom_plan")]);
        Self::of(
            postgres::pool(postgres::named(&options, "query-service"), connections),
            postgres::pool(postgres::named(&lists, "query-service lists"), LIST_CONNECTIONS),
        )
    }

    /// The connections for all queries except lists.
    pub fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    /// Uses one pool for lists and one for all other queries.
    pub fn of(pool: PgPool, lists: PgPool) -> Self {
        Self { by_key: ByKey::new(&pool), pool, lists: Lists(lists) }
    }
}

impl FromRef<Database> for PgPool {
    fn from_ref(database: &Database) -> Self {
        database.pool.clone()
    }
}

impl FromRef<Database> for ByKey {
    fn from_ref(database: &Database) -> Self {
        database.by_key.clone()
    }
}

impl FromRef<Database> for Lists {
    fn from_ref(database: &Database) -> Self {
        database.lists.clone()
    }
}
