//! What a service needs before any business: configuration, telemetry,
//! supervised tasks, health, PostgreSQL, AMQP and HTTP.
//!
//! Admission: at least two services need it, and it holds no word of the shop.

pub mod amqp;
pub mod config;
mod connections;
pub mod health;
pub mod health_check;
pub mod http;
pub mod json_body;
pub mod metrics;
pub mod paging;
pub mod parameters;
pub mod path;
pub mod postgres;
pub mod problem;
mod request_metrics;
pub mod retry;
pub mod tasks;
pub mod telemetry;

/// Of every service: with the system's allocator, a sixth of the command service's
/// time under load went into it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
