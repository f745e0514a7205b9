//! Orders.
//!
//! Orders that arrive together share a transaction, see [`OrderBatcher`]. Pure rules accept or
//! refuse each order, in the order of arrival. Each later change of an order is a transaction of
//! its own. [`Expiry`] cancels orders that are not paid in time.

mod expiry;
mod order;
mod order_batcher;
mod place;
mod product_cache;
mod refund;
mod refund_order;
mod restock;
pub mod routes;
mod rules;
mod status;
mod status_change;
mod transaction;
mod transaction_spans;

pub use expiry::{Expiry, PAYMENT_TIMEOUT};
pub use order_batcher::OrderBatcher;
pub use rules::PricePolicy;
