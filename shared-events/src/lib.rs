//! The wire contract: what the command service publishes and the consumer
//! service reads, and nothing else. No I/O, no runtime.
//!
//! An event is one flat JSON object: the members of its [`Envelope`] and those
//! of its [`Payload`] side by side. Every shape ever written has a golden file
//! in `golden/`, and must be readable for ever.

mod body;
mod decode;
mod envelope;
mod event;
mod event_type;
mod external;
pub mod limits;
mod money;
mod order;
mod product;
mod properties;
pub mod topology;
mod user;
pub mod views;
mod watermark;

pub use decode::{Attributes, DecodeError};
pub use envelope::{Envelope, lowest_event_id, now};
pub use event::{Event, Payload};
pub use event_type::EventType;
pub use external::External;
pub use money::{Money, MoneyError};
pub use order::{
    OrderCreated, OrderHeader, OrderLine, OrderStatus, OrderStatusUpdated, order_total,
};
pub use product::{PriceChanged, PriceStep, ProductState};
pub use topology::Topic;
pub use user::{AccountCreated, UserState};
pub use watermark::Watermark;
