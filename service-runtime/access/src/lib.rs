//! Roles, and API keys and their file.
//!
//! The services check keys; the operator's tool creates and revokes them.

mod api_key;
mod key_file;
mod role;

pub use api_key::{ApiKey, KeyHash, PREFIX};
pub use key_file::{KeyFile, KeyFileError, KeyRecord, MAX_FILE_BYTES, State};
pub use role::{Role, Roles, UnknownRole};
