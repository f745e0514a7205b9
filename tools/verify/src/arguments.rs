//! The command line.

use clap::Parser;
use sqlx::postgres::PgConnectOptions;

/// Recomputes every view from the write database and reports differences.
///
/// Reads both databases of a running stack, also under load, and writes nothing. Rows that
/// differ and events that are not applied are compared again until `--patience` has passed.
/// Exit code: 0 if nothing differs, 1 if something differs, 2 if the comparison failed.
#[derive(Debug, Parser)]
#[command(name = "cargo stack verify", bin_name = "cargo stack verify", version)]
pub struct Arguments {
    /// The write database, by default postgres://user:password@localhost:5432/write_db
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<PgConnectOptions>,

    /// The read database, by default postgres://user:password@localhost:5433/read_db
    #[arg(long, value_name = "URL", env = "READ_DATABASE_URL", hide_env_values = true)]
    pub read_database_url: Option<PgConnectOptions>,

    /// Added to the ports of the two defaults, as in `cargo stack up`.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=50_000))]
    pub port_offset: u16,

    /// Seconds for which the comparison is repeated while the number of differences does not
    /// fall.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub patience: u32,

    /// Limit of reported rows of each view, and of reported events.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub differences: usize,
}

impl Arguments {
    /// The write database.
    pub fn write(&self) -> PgConnectOptions {
        self.database_url.clone().unwrap_or_else(|| self.local(5432, "write_db"))
    }

    /// The read database.
    pub fn read(&self) -> PgConnectOptions {
        self.read_database_url.clone().unwrap_or_else(|| self.local(5433, "read_db"))
    }

    /// A database as started by `cargo stack up` and Docker Compose.
    fn local(&self, port: u16, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("localhost")
            .port(port + self.port_offset)
            .username("user")
            .password("password")
            .database(database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_offset_applies_to_default_addresses() {
        let url = "postgres://reader@elsewhere:7000/views";
        let line = ["verify", "--database-url", url, "--port-offset", "200"];
        let mut arguments = Arguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.write().get_port(), 7000);
        // Ignores the environment.
        arguments.read_database_url = None;
        let read = arguments.read();
        assert_eq!((read.get_host(), read.get_port()), ("localhost", 5633));
    }
}
