//! The state of the handlers.

use crate::database::Lists;
use crate::lookup::Lookup;
use crate::views::{category_metrics, customer_ltv, orders, product_sales, products, users};
use axum::extract::FromRef;
use sqlx::PgPool;

/// The parts that handlers extract, by their types.
#[derive(Clone, Debug, FromRef)]
pub struct AppState {
    pool: PgPool,
    lists: Lists,
    product_sales: Lookup<i64, product_sales::Row>,
    /// By the requested name, which may differ in case from the names found.
    categories: Lookup<String, category_metrics::Row>,
    lifetime_values: Lookup<i64, customer_ltv::Row>,
    products: Lookup<i64, products::Row>,
    orders: Lookup<i64, orders::RowWithItems>,
    users: Lookup<i64, users::Row>,
}

impl AppState {
    /// Uses one pool for lists and one for all other queries.
    pub fn new(pool: &PgPool, lists: Lists) -> Self {
        Self {
            pool: pool.clone(),
            lists,
            product_sales: Lookup::new(pool, product_sales::find),
            categories: Lookup::new(pool, category_metrics::find),
            lifetime_values: Lookup::new(pool, customer_ltv::find),
            products: Lookup::new(pool, products::find),
            orders: Lookup::new(pool, orders::find),
            users: Lookup::new(pool, users::find),
        }
    }
}
