//! One file per view, named like the projection that keeps it: what is
//! answered, the query, the handler. Invoices have no projection: they are
//! orders and users, joined when asked for.

pub mod category_metrics;
pub mod customer_ltv;
pub mod hourly_product_sales;
pub mod invoices;
pub mod orders;
pub mod product_sales;
pub mod products;
pub mod users;

use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::types::Decimal;

/// An amount as the database has it.
///
/// # Errors
/// 500, if it is none; its column's type rules that out.
fn money(amount: Decimal) -> Result<Money, Problem> {
    Money::from_decimal(amount).map_err(|error| Problem::internal(&error))
}
