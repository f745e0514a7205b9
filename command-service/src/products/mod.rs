//! Products: name, category, price and stock.

mod commands;
pub mod routes;
mod rules;
