//! Checks of files in the repository. They need no servers, unlike the system tests:
//! `cargo stack test --test documents`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod links;
mod metrics;
mod openapi;
mod postman_scripts;
mod test_modules;
