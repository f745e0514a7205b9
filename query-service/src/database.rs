//! The read database, as this service uses it.

use crate::views::ByKey;
use axum::extract::FromRef;
use service_runtime::postgres;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// Connections for lists.
const LIST_CONNECTIONS: u32 = 5;

/// Connections that can only read.
#[derive(Clone, Debug)]
pub struct Database {
    /// For all but lists, with plans that are kept.
    pool: PgPool,
    lists: Lists,
    by_key: ByKey,
}

/// Connections that plan every statement anew, for the parameters given: so a
/// filter that is not asked for costs nothing, and one that is finds its index.
#[derive(Clone, Debug)]
pub struct Lists(pub PgPool);

impl Database {
    /// Connects when first used; `connections` is the limit of those that
    /// are not for lists.
    pub fn new(options: &PgConnectOptions, connections: u32) -> Self {
        let options = options.clone().options([
            ("default_transaction_read_only", "on"),
            // Every answer is short; compiling its statement would take longer.
            ("jit", "off"),
            // Nobody waits longer than that for an answer.
            ("statement_timeout", "10s"),
        ]);
        let lists = options.clone().options([("plan_cache_mode", "force_custom_plan")]);
        Self::of(
            postgres::pool(postgres::named(&options, "query-service"), connections),
            postgres::pool(postgres::named(&lists, "query-service lists"), LIST_CONNECTIONS),
        )
    }

    /// The connections for all but lists.
    pub fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    /// By connections for lists and for all else.
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
