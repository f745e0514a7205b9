//! What system tests are made with.

mod broker;
mod comparison;
mod database;
mod http;
mod link;
mod process;
mod shop;
mod wait;

pub use broker::Broker;
pub use comparison::{assert_views_agree, told, verify, views};
pub use database::Databases;
pub use http::{Answer, client};
pub use link::Link;
pub use process::program;
pub use shop::{Shop, Wiring, order};
pub use wait::eventually;
