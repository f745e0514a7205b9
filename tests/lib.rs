//! What tests of the whole system are made with: shops of real processes, brokers
//! and databases ([`harness`]), and the faults that they must survive ([`faults`]).

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod faults;
pub mod harness;
