//! Products: name, category, price and stock.

mod answers;
mod commands;
pub mod routes;
mod rules;

pub use rules::price;
