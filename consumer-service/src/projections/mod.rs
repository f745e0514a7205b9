//! Projections: what events mean for views.
//!
//! Every projection commutes. It adds up deltas, or keeps a value guarded by
//! the aggregate's version or by GREATEST, and every event carries what its
//! projections need. So any order of events gives the same views.

mod category_metrics;
mod customer_ltv;
mod hourly_product_sales;
mod hourly_sales;
mod newest;
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

/// How a view is kept.
pub struct Projection {
    /// The views that show what it keeps.
    pub views: &'static [&'static str],
    /// The topics whose events matter to it.
    pub topics: &'static [Topic],
    /// Adds new events to its table, each of which is given once for ever. Rows
    /// are written by ascending key, so that consumers cannot deadlock.
    pub apply: for<'a> fn(&'a mut PgConnection, &'a [Event]) -> BoxFuture<'a, sqlx::Result<()>>,
}

/// Every projection, in the order in which transactions write their tables.
pub const PROJECTIONS: [Projection; 8] = [
    products::PRODUCTS,
    orders::ORDERS,
    users::USERS,
    product_sales::PRODUCT_SALES,
    category_metrics::CATEGORY_METRICS,
    customer_ltv::CUSTOMER_LTV,
    hourly_sales::HOURLY_SALES,
    hourly_product_sales::HOURLY_PRODUCT_SALES,
];

/// The topics that some projection wants.
pub fn topics() -> BTreeSet<Topic> {
    PROJECTIONS.iter().flat_map(|projection| projection.topics).copied().collect()
}
