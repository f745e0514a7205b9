//! The Postman collection.

mod collection;

pub use collection::{Collection, Header, Phase, Request, Script};
