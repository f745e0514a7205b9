//! Every route of the service, on one page.

use crate::idempotency::InFlight;
use crate::outbox::OutboxLimiter;
use crate::{orders, products, users};
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What handlers need.
#[derive(Clone, Debug)]
pub struct Commands {
    /// Connections to the write database.
    pub pool: PgPool,
    /// Places orders.
    pub order_batcher: orders::OrderBatcher,
    /// Turns of orders being cancelled.
    pub cancellations: Arc<Semaphore>,
    /// The idempotency keys of commands under way.
    pub in_flight: InFlight,
    /// Limits unpublished events.
    pub outbox_limiter: OutboxLimiter,
    /// Wakes the publisher after a commit.
    pub committed: Arc<Notify>,
}

/// The routes of the API.
pub fn routes() -> OpenApiRouter<Commands> {
    OpenApiRouter::default()
        .routes(routes!(products::routes::create))
        .routes(routes!(products::routes::update))
        .routes(routes!(products::routes::change_price))
        .routes(routes!(orders::routes::place))
        .routes(routes!(orders::routes::change_status))
        .routes(routes!(users::routes::create))
        .routes(routes!(users::routes::update))
        .routes(routes!(users::routes::open_account))
}
