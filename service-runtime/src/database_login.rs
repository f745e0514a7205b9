//! The role of a service in a database.

use sqlx::postgres::PgConnectOptions;

/// The role, if it is not the one that the database's URL names. So one URL serves
/// several services, and a changed password needs no change of the URL.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseLogin {
    /// The role, instead of the one that the URL of the database names.
    #[arg(long = "database-user", env = "DATABASE_USER")]
    database_user: Option<String>,

    /// The password of that role. As it is: in a URL, some characters need to be written
    /// as `%xx`.
    #[arg(long = "database-password", env = "DATABASE_PASSWORD", hide_env_values = true)]
    database_password: Option<String>,
}

impl DatabaseLogin {
    /// The address of a database with this role; unchanged if none is set.
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
