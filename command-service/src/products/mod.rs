//! Products: name, category, price and stock.

mod answers;
mod commands;
mod document;
pub mod routes;
mod rules;

pub use rules::{Price, price};
