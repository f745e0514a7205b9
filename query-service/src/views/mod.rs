//! One file per view that is queried, named after it: the response, the query and the handler. Invoices have no projection; they join orders and users at query time.

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

use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::types::Decimal;

/// An amount from the database.
///
/// # Errors
/// 500 if it is not an amount, which the type of its column excludes.
fn money(amount: Decimal) -> Result<Money, Problem> {
    Money::from_decimal(amount).map_err(|error| Problem::internal(&error))
}
