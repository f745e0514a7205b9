//! Shared parts of the tests. For system tests: the system under test ([`harness`]) and the
//! fault scenarios ([`faults`]). For system tests and tests without servers: the OpenAPI
//! documents ([`openapi`]), the Postman collection ([`postman`]), the table of routes
//! ([`routes`]) and the documented metrics ([`documented_metrics`]).

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod documented_metrics;
pub mod faults;
pub mod harness;
pub mod openapi;
pub mod postman;
pub mod routes;
