//! What a service needs before any business: configuration, telemetry,
//! supervised tasks, health, PostgreSQL, AMQP and HTTP.
//!
//! Admission: at least two services need it, and it holds no word of the shop.

pub mod amqp;
pub mod auth;
pub mod broker;
pub mod clock;
pub mod config;
mod connections;
mod database_failure;
pub mod database_login;
mod database_problem;
pub mod database_url;
pub mod format;
pub mod health;
pub mod health_check;
pub mod http;
pub mod json_body;
mod limits;
pub mod log_limit;
mod log_lines;
pub mod metrics;
pub mod openapi;
pub mod paging;
pub mod parameters;
pub mod path;
pub mod postgres;
pub mod problem;
pub mod recovery;
pub mod request_id;
pub mod request_metrics;
mod request_trace;
pub mod retry;
pub mod server;
pub mod sessions;
pub mod tasks;
pub mod telemetry;
pub mod trace;
pub mod trace_export;
pub mod traffic;
pub mod whole_number;

/// Of every service: with the system's allocator, a sixth of the command service's
/// time under load went into it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
