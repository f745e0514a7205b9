//! Every route of the service, on one page.

use crate::idempotency::InFlight;
use crate::outbox::Room;
use crate::{orders, products, users};
use axum::Router;
use axum::routing::{patch, post, put};
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};

/// What handlers need.
#[derive(Clone, Debug)]
pub struct Commands {
    /// Connections to the write database.
    pub pool: PgPool,
    /// Where orders are placed.
    pub lane: orders::Lane,
    /// Turns of orders being cancelled.
    pub cancellations: Arc<Semaphore>,
    /// The idempotency keys of commands under way.
    pub in_flight: InFlight,
    /// Whether there is room for more events.
    pub room: Room,
    /// Wakes the publisher after a commit.
    pub committed: Arc<Notify>,
}

/// The API, without `/health`.
pub fn routes(commands: Commands) -> Router {
    Router::new()
        .route("/api/products", post(products::routes::create))
        .route("/api/products/{id}", put(products::routes::update))
        .route("/api/products/{id}/price", put(products::routes::change_price))
        .route("/api/orders", post(orders::routes::place))
        .route("/api/orders/{id}/status", put(orders::routes::change_status))
        .route("/api/users", post(users::routes::create))
        .route("/api/users/{id}", patch(users::routes::update))
        .route("/api/accounts", post(users::routes::open_account))
        .with_state(commands)
}
