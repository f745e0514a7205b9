//! Who calls.

use access::{Role, Roles};
use std::sync::Arc;

/// Whoever has shown a valid credential. It is among a request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    id: Arc<str>,
    roles: Roles,
}

impl Caller {
    /// The owner of an API key.
    pub(crate) fn of_key(id: &str, roles: Roles) -> Self {
        Self { id: format!("key {id}").into(), roles }
    }

    /// The subject of a token. An issuer has no blank in it, so the two cannot be
    /// taken for another pair.
    pub(crate) fn of_token(issuer: &str, subject: &str, roles: Roles) -> Self {
        Self { id: format!("jwt {issuer} {subject}").into(), roles }
    }

    /// Names the caller, the same in all services and at all times. No secret.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Whether the caller may do what that role does.
    pub fn may(&self, role: Role) -> bool {
        self.roles.allow(role)
    }
}
