//! Projections: what events mean for views.
//!
//! Every projection commutes. It adds up deltas, or keeps a value guarded by
//! the aggregate's version or by GREATEST, and every event carries what its
//! projections need. So any order of events gives the same views.

mod category_metrics;
mod customer_ltv;
mod hourly_product_sales;
mod hourly_sales;
mod orders;
mod product_sales;
mod products;
mod sales;
#[cfg(test)]
pub mod samples;
mod users;

use futures::future::BoxFuture;
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Keeps one view.
pub trait Projection: Send + Sync {
    /// The name of the view.
    fn view(&self) -> &'static str;

    /// The topics whose events matter to the view.
    fn topics(&self) -> &'static [Topic];

    /// Adds new events to the view, each of which is given once for ever. Rows
    /// are written by ascending key, so that consumers cannot deadlock.
    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, sqlx::Result<()>>;
}

/// Every projection, in the order in which transactions write their views.
pub const PROJECTIONS: &[&dyn Projection] = &[
    &products::Products,
    &orders::Orders,
    &users::Users,
    &product_sales::ProductSales,
    &category_metrics::CategoryMetrics,
    &customer_ltv::CustomerLtv,
    &hourly_sales::HourlySales,
    &hourly_product_sales::HourlyProductSales,
];

/// The topics that some projection wants.
pub fn topics() -> BTreeSet<Topic> {
    PROJECTIONS.iter().flat_map(|projection| projection.topics()).copied().collect()
}
