//! The state that request handlers share.

use crate::idempotency::InFlight;
use crate::orders::OrderBatcher;
use crate::outbox::OutboxLimiter;
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::Notify;

/// The state that request handlers share.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Connections to the write database.
    pub pool: PgPool,
    /// Places orders in batches.
    pub order_batcher: OrderBatcher,
    /// The idempotency keys of commands in progress.
    pub in_flight: InFlight,
    /// The backpressure limit of the outbox.
    pub outbox_limiter: OutboxLimiter,
    /// Wakes the publisher after a commit.
    pub committed: Arc<Notify>,
}
