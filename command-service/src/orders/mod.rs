//! Orders.
//!
//! Orders that arrive together share a transaction, see [`Lane`]. What becomes
//! of each is decided by pure rules, in the order of arrival. Later an order
//! comes to other statuses, one transaction each.

mod answers;
mod document;
mod lane;
mod order;
mod place;
mod remembered;
pub mod routes;
mod rules;
mod status;
mod status_change;
mod transaction;
mod transaction_spans;

pub use lane::Lane;
pub use rules::PricePolicy;
pub use status_change::CANCELLATIONS;
