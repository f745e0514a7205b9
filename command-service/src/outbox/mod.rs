//! The transactional outbox.
//!
//! A command appends its event in the transaction that changes the rows. The
//! publisher sends what is not yet marked as published, and marks it once the
//! broker has confirmed it. Between those two an event may be sent again, never
//! lost; consumers deduplicate by its id.

mod append;
mod leadership;
mod message;
mod publisher;
mod queue;

pub use append::{Entries, append};
pub use publisher::Publisher;
