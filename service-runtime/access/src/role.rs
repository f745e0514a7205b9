//! Roles.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read views.
    Reader,
    /// Give commands. It does not imply reading.
    Writer,
    /// Operate the services, and all that the others may.
    Admin,
}

/// A text that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are the roles reader, writer and admin")]
pub struct UnknownRole;

/// Some roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Writer, Self::Admin];

    /// As it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Reader => 1,
            Self::Writer => 2,
            Self::Admin => 4,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

impl Roles {
    /// Whether they let do what `role` does: an admin may do everything.
    pub const fn allow(self, role: Role) -> bool {
        self.0 & (role.bit() | Role::Admin.bit()) != 0
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_may_do_everything_and_a_writer_does_not_read() {
        let allowed = |given: &[Role]| {
            let roles: Roles = given.iter().copied().collect();
            Role::ALL.map(|role| roles.allow(role))
        };
        assert_eq!(allowed(&[]), [false, false, false]);
        assert_eq!(allowed(&[Role::Reader]), [true, false, false]);
        assert_eq!(allowed(&[Role::Writer]), [false, true, false]);
        assert_eq!(allowed(&[Role::Reader, Role::Writer]), [true, true, false]);
        assert_eq!(allowed(&[Role::Admin]), [true, true, true]);
    }

    #[test]
    fn a_role_is_known_by_its_name() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert_eq!("Admin".parse::<Role>(), Err(UnknownRole));
    }
}
