//! Roles.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumCount, EnumString, IntoStaticStr};

/// A role of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(Display, EnumString, IntoStaticStr, EnumCount)]
#[strum(serialize_all = "lowercase", parse_err_ty = UnknownRole, parse_err_fn = unknown_role)]
pub enum Role {
    /// May send queries.
    Reader,
    /// May send commands, but not queries.
    Writer,
    /// May operate the services, send commands and send queries.
    Admin,
}

/// The error for a name that is not a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the roles are reader, writer and admin")]
pub struct UnknownRole;

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Role {
    /// All roles.
    pub const ALL: [Self; Self::COUNT] = [Self::Reader, Self::Writer, Self::Admin];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

fn unknown_role(_: &str) -> UnknownRole {
    UnknownRole
}

impl Roles {
    /// Whether they include `role`. An admin has every role.
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
    fn an_admin_has_every_role_and_a_writer_is_no_reader() {
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
    fn roles_are_parsed_by_their_names() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert_eq!("Admin".parse::<Role>(), Err(UnknownRole));
    }
}
