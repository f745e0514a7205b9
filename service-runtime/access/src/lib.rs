//! Who may do what: roles, and API keys as they are made, kept and recognised.
//!
//! Shared by the services, which check keys, and by the operator's client, which
//! makes and revokes them. Both mean the same file; nothing else connects them.

mod api_key;
mod hex;
mod key_file;
mod role;

pub use api_key::{ApiKey, KeyHash, PREFIX};
pub use key_file::{KeyFile, KeyFileError, KeyRecord, MAX_FILE_BYTES, State};
pub use role::{Role, Roles, UnknownRole};
