//! Who calls, and whether they may.
//!
//! Off unless `AUTH=on`. Then whoever calls says who they are, by an API key or a
//! token (JWT), and each route says which role it needs. What is guaranteed:
//!
//! - A route without a role cannot be served: a server takes [`Guarded`] routes only,
//!   and these are either declared open, or given with a role.
//! - Nothing is told to strangers: without a credential a path that does not exist is
//!   refused like one that does.
//! - No request waits for a database or for the network. Keys are in memory; files
//!   are looked at again every second, so that a key that was made or revoked counts
//!   within seconds.
//! - No secret reaches a log, an answer or a panic. Callers are known by the id of a
//!   key, or by issuer and subject of a token.

mod api_keys;
mod caller;
mod guard;
mod key_set;
mod presented;
mod refusal;
mod remembered;
mod routes;
mod settings;
mod tokens;
mod watched;
mod web_pages;

pub use access::Role;
pub use caller::Caller;
pub use guard::Guard;
pub(crate) use routes::Gate;
pub use routes::Guarded;
pub use settings::AuthSettings;
