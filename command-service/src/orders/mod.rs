//! Orders.
//!
//! Orders that arrive together share a transaction, see [`Lane`]. What becomes
//! of each is decided by pure rules, in the order of arrival.

mod lane;
mod place;
pub mod routes;
mod rules;
mod transaction;

pub use lane::Lane;
pub use rules::PricePolicy;
