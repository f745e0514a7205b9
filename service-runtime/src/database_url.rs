//! Reading the address of a database.

use sqlx::postgres::PgConnectOptions;

const FORM: &str = "must be like postgres://user:password@host:5432/database";

/// Reads `postgres://user:password@host:5432/database`, also `postgresql://`, with
/// libpq's parameters after a `?`.
///
/// # Errors
/// The reason, without quoting the address, which may contain a password.
pub fn read(text: &str) -> Result<PgConnectOptions, String> {
    let text = text.trim();
    if text.starts_with("jdbc:") {
        return Err(format!("is an address for Java: {FORM}, without `jdbc:`"));
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Err(FORM.to_owned()) };
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(format!("{FORM}; the scheme is another one"));
    }
    if rest.contains('#') {
        return Err("has a `#`: write it as %23".to_owned());
    }
    let options: PgConnectOptions = text.parse().map_err(|error: sqlx::Error| complaint(&error))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(format!("names no database: it {FORM}"));
    }
    // An IPv6 address has brackets only in a URL.
    let host = options.get_host();
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned) {
        Some(address) => Ok(options.host(&address)),
        None => Ok(options),
    }
}

/// sqlx's messages quote at most a parameter after the `?`.
fn complaint(error: &sqlx::Error) -> String {
    let told = error.to_string();
    if told.contains("ssl_mode") {
        return "has an sslmode that is none of disable, allow, prefer, require, verify-ca and \
                verify-full"
            .to_owned();
    }
    let told = told.strip_prefix("error with configuration: ").unwrap_or(&told);
    format!(
        "cannot be read ({told}): it {FORM}; in user and password write : / ? # @ [ ] % as %3A \
         %2F %3F %23 %40 %5B %5D %25"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_used_is() {
        for (text, host) in [
            ("postgres://u:p@localhost:5432/db", "localhost"),
            ("postgresql://u:p@h/db?sslmode=disable", "h"),
            (" postgres://u:p@[::1]:5433/db ", "::1"),
            ("postgres://db:5432/write_db", "db"),
            ("postgres://u:a%23b%2Fc@h/db", "h"),
            ("postgres://u@h?dbname=db", "h"),
        ] {
            assert_eq!(read(text).unwrap().get_host(), host, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for (text, told) in [
            ("jdbc:postgresql://h/db?password=s3cret", "without `jdbc:`"),
            ("mysql://u:s3cret@h/db", "postgres://"),
            ("u:s3cret@h/db", "postgres://"),
            ("postgres://u:s3cret#x@h/db", "%23"),
            ("postgres://u:s3cret/x@h/db", "%2F"),
            ("postgres://u:s3cret@h:port/db", "invalid port number"),
            ("postgres://u:s3cret@h:99999/db", "invalid port number"),
            ("postgres://u:s3cret@h", "names no database"),
            ("postgres://u:s3cret@h/", "names no database"),
            ("postgres://u:s3cret@h/db?sslmode=s3cret", "sslmode that is none of"),
            ("", "postgres://"),
        ] {
            let complaint = read(text).unwrap_err();
            assert!(complaint.contains(told) && !complaint.contains("s3cret"), "{complaint}");
        }
    }
}
