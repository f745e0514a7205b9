//! The wire contract between the command service, which publishes events, and the consumer
//! service, which reads them. No I/O, no runtime.
//!
//! An event is one flat JSON object with the properties of its [`Envelope`] and of its
//! [`Payload`]. Every schema version ever published has a golden file in `golden/` and stays
//! readable.

mod body;
mod decode;
mod decode_error;
mod envelope;
mod event;
pub mod limits;
mod message;
mod money;
mod order;
mod order_status;
mod product;
mod properties;
mod refund;
pub mod topology;
mod user;
pub mod views;
mod watermark;

pub use decode::External;
pub use decode_error::DecodeError;
pub use envelope::{Envelope, lowest_event_id, now};
pub use event::{Event, EventType, Payload};
pub use message::Attributes;
pub use money::{Money, MoneyError};
pub use order::*;
pub use order_status::OrderStatus;
pub use product::*;
pub use refund::*;
pub use topology::Topic;
pub use user::*;
pub use watermark::Watermark;
