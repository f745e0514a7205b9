//! The transactional outbox.
//!
//! A command appends its event in the transaction that changes the rows. The
//! publisher sends what is not yet marked as published, and marks it once the
//! broker has confirmed it. Between those two an event may be sent again, never
//! lost; consumers deduplicate by its id.

mod admin;
mod append;
mod leadership;
mod limiter;
mod message;
mod publisher;
mod queue;
mod replay;
mod sending;
mod topic_publisher;

pub use admin::routes;
pub use append::{Entries, append};
pub use limiter::OutboxLimiter;
pub use publisher::Publisher;
pub use replay::Replays;
