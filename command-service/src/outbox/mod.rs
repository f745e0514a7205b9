//! The transactional outbox.
//!
//! A command appends its event in the transaction that changes the rows. The publisher sends
//! events that are not marked as published, and marks them when the broker has confirmed them.
//! After a failure in between it sends an event again. No event is lost, and consumers deduplicate
//! by event id.

mod admin;
mod append;
mod limiter;
mod message;
mod publisher;
mod queue;
mod replay;
mod sending;
mod topic_publisher;

pub use admin::routes;
pub use append::{append, payload};
pub use limiter::OutboxLimiter;
pub use publisher::Publisher;
pub use replay::Replays;
