//! The servers of the bench. `cargo stack bench` starts them and sets their addresses in the
//! environment.

use crate::cpu::Part;
use anyhow::{Context, Result, bail};
use kit::{Connection, write_request};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `guest:guest`, as HTTP basic authentication.
const AUTHORIZATION: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// The queues that the services declare.
const QUEUES: [&str; 3] = ["order-events", "product-events", "user-events"];

/// A broker address on which nothing listens.
pub const NO_BROKER: &str = "amqp://guest:guest@127.0.0.1:1";

/// Two clusters, a broker, and the folders of programs.
#[derive(Clone, Debug)]
pub struct Servers {
    pub write: PgConnectOptions,
    pub read: PgConnectOptions,
    /// The broker, for services.
    pub broker: String,
    management: SocketAddr,
    /// The folder of the services' programs.
    pub services: PathBuf,
    pub postgres: PathBuf,
    /// The servers' root processes, by name.
    pub processes: Vec<Part>,
    /// A folder for logs and scripts, on the disk that the databases are on.
    pub folder: PathBuf,
}

impl Servers {
    pub fn from_environment() -> Result<Self> {
        let management = setting("BROKER_MANAGEMENT_URL")?;
        let (_, management) = management.rsplit_once('@').context("BROKER_MANAGEMENT_URL")?;
        let folder = PathBuf::from(setting("BENCH_FOLDER")?).join("run");
        // The files of an earlier run.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self {
            write: setting("DATABASE_URL")?.parse().context("DATABASE_URL")?,
            read: setting("READ_DATABASE_URL")?.parse().context("READ_DATABASE_URL")?,
            broker: setting("BROKER_URL")?,
            management: management.parse().context("BROKER_MANAGEMENT_URL")?,
            services: setting("SERVICE_BINARIES")?.into(),
            postgres: setting("POSTGRES_BINARIES")?.into(),
            processes: parse_processes(&setting("SERVER_PROCESSES")?)?,
            folder,
        })
    }

    /// Deletes the services' queues with their messages. The services declare them again when
    /// they start.
    pub async fn delete_queues(&self) -> Result<()> {
        for queue in QUEUES {
            let (status, body) = self.manage("DELETE", &format!("queues/%2F/{queue}")).await?;
            if !matches!(status, 204 | 404) {
                bail!("the broker does not delete {queue}: {status} {body}");
            }
        }
        Ok(())
    }

    pub async fn broker_version(&self) -> Result<String> {
        let (_, body) = self.manage("GET", "overview").await?;
        let overview: Value = serde_json::from_str(&body).context("the broker's overview")?;
        Ok(overview["rabbitmq_version"].as_str().unwrap_or("unknown").to_owned())
    }

    async fn manage(&self, method: &str, path: &str) -> Result<(u16, String)> {
        let mut connection = Connection::new(self.management);
        let headers = format!("Host: {}\r\nAuthorization: {AUTHORIZATION}\r\n", self.management);
        let mut request = Vec::new();
        write_request(&mut request, method, format_args!("/api/{path}"), &headers, b"");
        let response = connection.exchange(&request).await.context("broker management")?;
        Ok((response.status, String::from_utf8_lossy(response.body).into_owned()))
    }
}

/// Reads `db=12,read_db=13,broker=14`.
fn parse_processes(text: &str) -> Result<Vec<Part>> {
    let part = |part: &str| {
        let (name, process) = part.split_once('=')?;
        Some((name.to_owned(), process.parse().ok()?))
    };
    text.split(',').map(part).collect::<Option<_>>().context("SERVER_PROCESSES")
}

pub fn setting(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run `cargo stack bench`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_read_by_name() {
        let parts = parse_processes("db=12,broker=7").unwrap();
        assert_eq!(parts, [("db".to_owned(), 12), ("broker".to_owned(), 7)]);
        assert!(parse_processes("db").is_err());
    }
}
