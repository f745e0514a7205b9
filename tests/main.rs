//! System tests: promises to users and operators, tested with real service processes, a real
//! PostgreSQL and a real RabbitMQ. Each file tests one promise.
//!
//! Each test has its own databases, its own virtual host of the broker, and its own services on
//! free ports. Run them with `cargo stack test`.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking and may print measurements"
)]

use system_tests::harness;

mod api_documents;
mod backpressure;
mod clock_skew;
mod credentials;
mod cross_site_requests;
mod database_failures;
mod database_versions;
mod dead_letters;
mod deduplication_retention;
mod dropped_requests;
mod external_events;
mod fault_scenarios;
mod held_locks;
mod idempotency;
mod input_validation;
mod lag;
mod large_orders;
mod least_privilege;
mod limits;
mod load_tool;
mod logs;
mod memory;
mod metrics;
mod order_expiry;
mod order_lifecycle;
mod oversell;
mod pgbouncer;
mod poison_messages;
mod postman_run;
mod product_cache;
mod publisher_failover;
mod rate_limit;
mod read_tables;
mod read_your_writes;
mod refunds;
mod replay;
mod restore;
mod roles;
mod service_outages;
mod settings_validation;
mod shutdown;
mod topic_isolation;
mod topology;
mod traces;
mod users;
mod verify;
mod view_consistency;
mod view_latency;
