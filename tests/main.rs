//! System tests: promises to users and operators, kept over real processes, a
//! real PostgreSQL and a real RabbitMQ. One file per promise.
//!
//! Each test has a shop of its own: databases, a virtual host of the broker,
//! and services on free ports. Run them with `cargo stack test`.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and may print what it measured"
)]

use system_tests::harness;

mod absence;
mod api_documents;
mod backpressure;
mod bad_input;
mod bad_settings;
mod clocks;
mod credentials;
mod database_failures;
mod dead_letters;
mod dropped_requests;
mod external_events;
mod held_locks;
mod idempotency;
mod lag;
mod large_orders;
mod least_privilege;
mod limits;
mod load;
mod logs;
mod memory;
mod metrics;
mod mixed_orders;
mod old_data;
mod order_life;
mod oversell;
mod parking;
mod pgbouncer;
mod poison;
mod postman_run;
mod rate_limit;
mod read_tables;
mod read_your_writes;
mod refused_topic;
mod remembered;
mod replay;
mod restore;
mod retention;
mod roles;
mod standby;
mod stopping;
mod survival;
mod traces;
mod users;
mod verify;
mod visible_soon;
mod web_pages;
mod who_is_who;
