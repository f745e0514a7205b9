//! How the pools of database connections are.

use super::common::{POOL_CONNECTIONS, POOL_MAX_CONNECTIONS};
use sqlx::PgPool;
use std::sync::{Mutex, PoisonError};

/// The pools of this process.
static POOLS: Mutex<Vec<PgPool>> = Mutex::new(Vec::new());

/// Has a pool looked at from now on. It is known by the name of its connections.
pub fn watch(pool: PgPool) {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner).push(pool);
}

/// Looks at all of them.
pub fn look() {
    for pool in POOLS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let options = pool.connect_options();
        let name = options.get_application_name().unwrap_or("unnamed").to_owned();
        let (open, idle) = (pool.size(), pool.num_idle());
        let used = f64::from(open) - idle as f64;
        // Counted one after the other, while connections come and go.
        for (state, count) in [("idle", idle as f64), ("used", used.max(0.0))] {
            let labels = [("pool", name.clone().into()), ("state", state.into())];
            POOL_CONNECTIONS.with(labels).set(count);
        }
        let most = f64::from(pool.options().get_max_connections());
        POOL_MAX_CONNECTIONS.with([("pool", name.into())]).set(most);
    }
}
