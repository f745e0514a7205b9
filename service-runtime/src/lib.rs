//! Code that services share: configuration, telemetry, supervised tasks, health,
//! PostgreSQL, AMQP and HTTP.
//!
//! Code belongs here if at least two services use it and it does not depend on the
//! business.

pub mod amqp;
pub mod auth;
pub mod broker;
pub mod clock;
pub mod config;
pub mod format;
pub mod health;
pub mod health_check;
pub mod http;
mod http_connections;
pub mod json_body;
pub mod log_limit;
mod log_lines;
pub mod metrics;
pub mod openapi;
pub mod paging;
pub mod parameters;
pub mod path;
pub mod postgres;
pub mod problem;
pub mod request_metrics;
mod request_trace;
pub mod retry;
pub mod server;
pub mod service;
pub mod tasks;
mod telemetry;
pub mod trace;
pub mod trace_export;
pub mod traffic;
pub mod whole_number;

/// With the system's allocator, the command service spends a sixth of its time under load
/// in allocation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
