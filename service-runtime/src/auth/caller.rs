//! The caller of a request.

use access::{Role, Roles};
use std::sync::Arc;

/// The owner of a valid credential. Stored in the extensions of a request.
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

    /// The subject of a token. An issuer contains no space, so the id is unambiguous.
    pub(crate) fn of_token(issuer: &str, subject: &str, roles: Roles) -> Self {
        Self { id: format!("jwt {issuer} {subject}").into(), roles }
    }

    /// The id of the caller, stable and the same in all services. Not secret.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Whether the caller has the permissions of a role.
    pub fn may(&self, role: Role) -> bool {
        self.roles.allow(role)
    }
}
