//! The URL of a database, and the role of a service in it.

use sqlx::postgres::PgConnectOptions;

const FORM: &str = "must be like postgres://user:password@host:5432/database";

/// A role that overrides the one in the database URL. So several services can share one
/// URL, and a password change does not change the URL.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseLogin {
    /// Database role; overrides the one in the database URL.
    #[arg(long = "database-user", env = "DATABASE_USER")]
    database_user: Option<String>,

    /// Password of that role, not percent-encoded.
    #[arg(long = "database-password", env = "DATABASE_PASSWORD", hide_env_values = true)]
    database_password: Option<String>,
}

impl DatabaseLogin {
    /// Connection options with this role; unchanged if none is set.
    pub fn apply(&self, options: PgConnectOptions) -> PgConnectOptions {
        match (self.database_user.as_deref(), self.database_password.as_deref()) {
            (None | Some(""), _) => options,
            (Some(user), None | Some("")) => options.username(user),
            (Some(user), Some(password)) => options.username(user).password(password),
        }
    }
}

/// Parses `postgres://user:password@host:5432/database`, also `postgresql://`, with the
/// parameters of libpq after a `?`.
///
/// # Errors
/// The reason, without the URL, which may contain a password.
pub fn parse_url(url: &str) -> Result<PgConnectOptions, String> {
    let url = url.trim();
    if url.starts_with("jdbc:") {
        return Err(format!("is a JDBC URL: it {FORM}, without `jdbc:`"));
    }
    let Some((scheme, rest)) = url.split_once("://") else { return Err(FORM.to_owned()) };
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(format!("{FORM}; the scheme is another one"));
    }
    if rest.contains('#') {
        return Err("contains a `#`: write it as %23".to_owned());
    }
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| reason(&error))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(format!("has no database name: it {FORM}"));
    }
    // Only a URL has brackets around an IPv6 address.
    let host = options.get_host();
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned) {
        Some(address) => Ok(options.host(&address)),
        None => Ok(options),
    }
}

/// The messages of sqlx quote at most a parameter after the `?`.
fn reason(error: &sqlx::Error) -> String {
    let message = error.to_string();
    if message.contains("ssl_mode") {
        return "has an unknown sslmode: use disable, allow, prefer, require, verify-ca or \
                verify-full"
            .to_owned();
    }
    let message = message.strip_prefix("error with configuration: ").unwrap_or(&message);
    format!(
        "cannot be parsed ({message}): it {FORM}; in user and password write : / ? # @ [ ] % as \
         %3A %2F %3F %23 %40 %5B %5D %25"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_urls_are_parsed() {
        for (url, host) in [
            ("postgres://u:p@localhost:5432/db", "localhost"),
            ("postgresql://u:p@h/db?sslmode=disable", "h"),
            (" postgres://u:p@[::1]:5433/db ", "::1"),
            ("postgres://db:5432/write_db", "db"),
            ("postgres://u:a%23b%2Fc@h/db", "h"),
            ("postgres://u@h?dbname=db", "h"),
        ] {
            assert_eq!(parse_url(url).unwrap().get_host(), host, "{url}");
        }
    }

    #[test]
    fn errors_do_not_contain_the_password() {
        for (url, expected) in [
            ("jdbc:postgresql://h/db?password=s3cret", "without `jdbc:`"),
            ("mysql://u:s3cret@h/db", "postgres://"),
            ("u:s3cret@h/db", "postgres://"),
            ("postgres://u:s3cret#x@h/db", "%23"),
            ("postgres://u:s3cret/x@h/db", "%2F"),
            ("postgres://u:s3cret@h:port/db", "invalid port number"),
            ("postgres://u:s3cret@h:99999/db", "invalid port number"),
            ("postgres://u:s3cret@h", "has no database name"),
            ("postgres://u:s3cret@h/", "has no database name"),
            ("postgres://u:s3cret@h/db?sslmode=s3cret", "unknown sslmode"),
            ("", "postgres://"),
        ] {
            let error = parse_url(url).unwrap_err();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_configured_role_overrides_the_url() {
        let user = |user: Option<&str>, url: &str| {
            let (database_user, options) = (user.map(str::to_owned), url.parse().unwrap());
            let login = DatabaseLogin { database_user, database_password: Some("p@ss".to_owned()) };
            login.apply(options).get_username().to_owned()
        };
        for url in ["postgres://ada:secret@h/x", "postgres://h/x"] {
            assert_eq!(user(Some("service"), url), "service");
        }
        for unset in [None, Some("")] {
            assert_eq!(user(unset, "postgres://ada:secret@h/x"), "ada");
        }
    }
}
