//! The state of the handlers.

use crate::database::Lists;
use crate::views::ByKey;
use axum::extract::FromRef;
use sqlx::PgPool;

/// The parts that handlers extract.
#[derive(Clone, Debug)]
pub struct AppState {
    pool: PgPool,
    lists: Lists,
    by_key: ByKey,
}

impl AppState {
    /// Uses one pool for lists and one for all other queries.
    pub fn new(pool: &PgPool, lists: Lists) -> Self {
        Self { by_key: ByKey::new(pool), pool: pool.clone(), lists }
    }
}

impl FromRef<AppState> for PgPool {
    fn from_ref(state: &AppState) -> Self {
        state.pool.clone()
    }
}

impl FromRef<AppState> for ByKey {
    fn from_ref(state: &AppState) -> Self {
        state.by_key.clone()
    }
}

impl FromRef<AppState> for Lists {
    fn from_ref(state: &AppState) -> Self {
        state.lists.clone()
    }
}
