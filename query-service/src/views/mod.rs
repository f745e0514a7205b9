//! One file per view that is queried, named after it: the response, the query and the handler.
//! Invoices have no projection; they join orders and users at query time.

mod amount;
pub mod category_metrics;
pub mod customer_ltv;
#[cfg(test)]
mod database_tests;
mod filters;
pub mod hourly_product_sales;
pub mod invoices;
pub mod orders;
pub mod product_sales;
pub mod products;
mod resource;
pub mod users;
