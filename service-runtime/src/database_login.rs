//! The role of a service in a database.

use sqlx::postgres::PgConnectOptions;

/// A role that overrides the one in the database's URL. So several services can use one
/// URL, and a changed password needs no change of the URL.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseLogin {
    /// The role; overrides the one in the database's URL.
    #[arg(long = "database-user", env = "DATABASE_USER")]
    database_user: Option<String>,

    /// The password of that role, not percent-encoded.
    #[arg(long = "database-password", env = "DATABASE_PASSWORD", hide_env_values = true)]
    database_password: Option<String>,
}

impl DatabaseLogin {
    /// Connection options with this role; unchanged if none is set.
    pub fn apply(&self, address: PgConnectOptions) -> PgConnectOptions {
        match (self.database_user.as_deref(), self.database_password.as_deref()) {
            (None | Some(""), _) => address,
            (Some(user), None | Some("")) => address.username(user),
            (Some(user), Some(password)) => address.username(user).password(password),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_is_set_wins_over_the_url() {
        let login = |user: Option<&str>, url: &str| {
            let (database_user, address) = (user.map(str::to_owned), url.parse().unwrap());
            let login = DatabaseLogin { database_user, database_password: Some("p@ss".to_owned()) };
            login.apply(address).get_username().to_owned()
        };
        for url in ["postgres://ada:secret@h/x", "postgres://h/x"] {
            assert_eq!(login(Some("shop"), url), "shop");
        }
        for unset in [None, Some("")] {
            assert_eq!(login(unset, "postgres://ada:secret@h/x"), "ada");
        }
    }
}
