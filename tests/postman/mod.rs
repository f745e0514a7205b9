//! The Postman collection, and an engine that runs its scripts.

mod collection;
mod sandbox;

pub use collection::{Collection, Header, Phase, Request, Script};
pub use sandbox::{Report, Sandbox};
