//! Metrics of database connection pools.

use super::service::{POOL_CONNECTIONS, POOL_MAX_CONNECTIONS};
use parking_lot::Mutex;
use sqlx::PgPool;

/// The pools of this process.
static POOLS: Mutex<Vec<PgPool>> = Mutex::new(Vec::new());

/// Adds a pool. Its label is the application name of its connections.
pub fn register(pool: PgPool) {
    POOLS.lock().push(pool);
}

/// Updates the metrics.
pub fn update() {
    for pool in POOLS.lock().iter() {
        let options = pool.connect_options();
        let name = options.get_application_name().unwrap_or("unnamed").to_owned();
        let (open, idle) = (pool.size(), pool.num_idle());
        // The two counts are not read at the same time.
        let used = (f64::from(open) - idle as f64).max(0.0);
        for (state, count) in [("idle", idle as f64), ("used", used)] {
            let labels = [("pool", name.clone().into()), ("state", state.into())];
            POOL_CONNECTIONS.with(labels).set(count);
        }
        let max = f64::from(pool.options().get_max_connections());
        POOL_MAX_CONNECTIONS.with([("pool", name.into())]).set(max);
    }
}
