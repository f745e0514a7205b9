//! Every route of the API.

use crate::state::AppState;
use crate::{orders, products, users};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the API.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(products::routes::create))
        .routes(routes!(products::routes::update))
        .routes(routes!(products::routes::change_price))
        .routes(routes!(orders::routes::place))
        .routes(routes!(orders::routes::change_status))
        .routes(routes!(orders::routes::refund))
        .routes(routes!(users::routes::create))
        .routes(routes!(users::routes::update))
        .routes(routes!(users::routes::open_account))
}
