//! Users and their accounts.
//!
//! A user is the customer of the same id. Accounts belong to the user: each
//! raises the user's version, and the newest has the address.

mod commands;
pub mod routes;
mod rules;
