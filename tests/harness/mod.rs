//! What system tests are made with.

mod broker;
mod collector;
mod comparison;
mod credentials;
mod database;
mod free_port;
mod http;
mod link;
mod metrics;
mod own_servers;
mod paused;
pub mod poison;
mod pooler;
mod process;
pub mod raw_amqp;
mod servers;
mod shop;
mod small_disk;
mod wait;

pub use broker::Broker;
pub use collector::{Collector, Span};
pub use comparison::{assert_views_agree, told, verify, views};
pub use credentials::Keys;
pub use database::Databases;
pub use free_port::free_port;
pub use http::{Answer, client, json};
pub use link::{Link, Way};
pub use metrics::Metrics;
pub use own_servers::OwnServers;
pub use paused::Paused;
pub use pooler::Pooler;
pub use process::{Service, program};
pub use servers::Servers;
pub use shop::{Links, Shop, Wiring, order};
pub use small_disk::{Ballast, SmallDisk};
pub use wait::{eventually, within};
