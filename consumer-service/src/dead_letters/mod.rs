//! Events that cannot be applied are kept, with their bytes and the reason,
//! and what is behind them flows on. Operators look at them, have them applied
//! after all, or drop them.

mod admin;
mod count;
mod park;
mod reason;
mod redrive;

pub use admin::{Letters, routes};
pub use count::count;
pub use park::{Letter, Parked, digest, park};
pub use reason::{
    created_by_event, created_by_shop, defective, other_content, refused_by_database, too_large,
    unknown_product, unreadable,
};
