//! Every route of the service, on one page.

use crate::{orders, products, users};
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::routing::{patch, post, put};
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

/// What handlers need.
#[derive(Clone, Debug)]
pub struct Commands {
    /// Connections to the write database.
    pub pool: PgPool,
    /// Where orders are placed.
    pub lane: orders::Lane,
    /// Turns of orders being cancelled.
    pub cancellations: Arc<Semaphore>,
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

/// The header that names the event of an accepted command.
pub fn event_id(event_id: Uuid) -> HeaderMap {
    let name = HeaderName::from_static("x-event-id");
    HeaderValue::try_from(event_id.to_string())
        .into_iter()
        .map(|value| (name.clone(), value))
        .collect()
}

/// The headers of a created resource: that, and where it is.
pub fn created(event: Uuid, location: String) -> HeaderMap {
    let mut headers = event_id(event);
    headers.extend(HeaderValue::try_from(location).map(|value| (header::LOCATION, value)));
    headers
}
