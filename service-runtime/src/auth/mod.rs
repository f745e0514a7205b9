//! Authentication and authorization.
//!
//! Off unless `AUTH=on`. Then every request has a credential, an API key or a token (JWT),
//! and each route requires a role. Guarantees:
//!
//! - A route without a declared requirement cannot be served: a server accepts only
//!   [`AuthorizedRoutes`], to which routes are added as open or with a role.
//! - An unauthenticated caller cannot find out which paths exist: without a credential, a
//!   path that does not exist is refused like one that does.
//! - No request waits for a database or the network. Keys are in memory. Files are read
//!   again every second, so that a new or revoked key takes effect within seconds.
//! - No secret appears in a log, a response or a panic message. Callers are identified by
//!   the id of a key, or by issuer and subject of a token.

mod api_keys;
mod authorized_routes;
mod caller;
mod credential;
mod guard;
mod key_set;
mod refusal;
mod settings;
mod token_cache;
mod tokens;
mod watched_file;
mod web_pages;

pub use access::Role;
pub(crate) use authorized_routes::Authorization;
pub use authorized_routes::AuthorizedRoutes;
pub use caller::Caller;
pub use guard::Guard;
pub use settings::AuthSettings;
