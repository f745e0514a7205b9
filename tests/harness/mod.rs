//! What system tests are made with.

mod broker;
mod collector;
mod credentials;
mod database;
mod dedicated_servers;
mod free_port;
mod http;
mod link;
mod metrics;
mod paused;
pub mod poison;
mod pooler;
mod process;
pub mod raw_amqp;
mod servers;
mod shop;
mod small_disk;
mod verification;
mod wait;

pub use broker::Broker;
pub use collector::{Collector, Span};
pub use credentials::Keys;
pub use database::Databases;
pub use dedicated_servers::DedicatedServers;
pub use free_port::free_port;
pub use http::{Response, client, json};
pub use link::{Direction, Link};
pub use metrics::Metrics;
pub use paused::Paused;
pub use pooler::Pooler;
pub use process::{Service, program};
pub use servers::Servers;
pub use shop::{Links, ServerPorts, Shop, order};
pub use small_disk::{Ballast, SmallDisk};
pub use verification::{assert_views_agree, printed, verify, views};
pub use wait::{eventually, within};
