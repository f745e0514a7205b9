//! One file per view, named like the projection that updates it: the response, the query
//! and the handler. Invoices have no projection; they join orders and users at query time.

pub mod category_metrics;
mod created;
pub mod customer_ltv;
#[cfg(test)]
mod database_tests;
pub mod hourly_product_sales;
pub mod invoices;
pub mod orders;
pub mod product_sales;
pub mod products;
mod text;
pub mod users;

use crate::lookup::Lookup;
use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;

/// Look-ups of views by key.
#[derive(Clone, Debug)]
pub struct ByKey {
    pub product_sales: Lookup<i64, product_sales::Row>,
    /// By the requested name, which may differ in case from the names found.
    pub categories: Lookup<String, category_metrics::Row>,
    pub lifetime_values: Lookup<i64, customer_ltv::Row>,
    pub products: Lookup<i64, products::Row>,
    pub orders: Lookup<i64, orders::RowWithItems>,
    pub users: Lookup<i64, users::Row>,
}

impl ByKey {
    /// Look-ups that use the connections of a pool.
    pub fn new(pool: &PgPool) -> Self {
        Self {
            product_sales: Lookup::new(pool, product_sales::find),
            categories: Lookup::new(pool, category_metrics::find),
            lifetime_values: Lookup::new(pool, customer_ltv::find),
            products: Lookup::new(pool, products::find),
            orders: Lookup::new(pool, orders::find),
            users: Lookup::new(pool, users::find),
        }
    }
}

/// An amount from the database.
///
/// # Errors
/// 500 if it is not an amount, which the type of its column excludes.
fn money(amount: Decimal) -> Result<Money, Problem> {
    Money::from_decimal(amount).map_err(|error| Problem::internal(&error))
}
