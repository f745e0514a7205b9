//! The command line.

use access::Role;
use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The longest lifetime of a key, in minutes: a hundred years.
const MOST_MINUTES: i64 = 100 * 366 * 24 * 60;

/// Operates running services.
#[derive(Debug, Parser)]
#[command(name = "cargo stack", bin_name = "cargo stack", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List, apply or discard events that could not be applied.
    DeadLetters(DeadLetters),
    /// Publish a range of past events again.
    ///
    /// Restores events that did not reach the views, because a queue was deleted or purged,
    /// or the read database was restored from a backup. Events that were applied before are
    /// ignored.
    Replay(Replay),
    /// Create, list and revoke API keys, for services with AUTH=on.
    ///
    /// A file has the hashes of the keys. Services check it every second and need no restart.
    Keys(Keys),
}

/// Arguments of `dead-letters`.
#[derive(Debug, Args)]
pub struct DeadLetters {
    #[command(subcommand)]
    pub action: Action,

    /// The consumer service's operations port.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CONSUMER_OPERATIONS_URL",
        default_value = "http://localhost:9082"
    )]
    pub url: String,

    #[command(flatten)]
    pub access: Access,
}

/// How the operations port at the URL is reached.
#[derive(Debug, Args)]
pub struct Access {
    /// Added to the port of the default URL, as for `cargo stack up`.
    #[arg(long, global = true, value_name = "N", default_value_t = 0, conflicts_with = "url")]
    pub port_offset: u16,

    /// An API key with the role admin, if the services have AUTH=on.
    #[arg(long, global = true, value_name = "KEY", env = "SHOP_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the dead letters, the oldest first.
    List,
    /// Show a dead letter with its bytes, as JSON.
    Show {
        /// The dead letter's number.
        id: u64,
    },
    /// Apply the events once and delete their dead letters, after the cause was removed.
    Redrive {
        #[command(flatten)]
        which: Which,
        /// Also apply events that are older than the deduplication records. Check first that
        /// the views do not include them, because the consumer cannot.
        #[arg(long)]
        anyway: bool,
    },
    /// Delete dead letters without applying their events.
    Discard {
        #[command(flatten)]
        which: Which,
    },
}

/// The dead letters to process.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Numbers of dead letters.
    #[arg(value_name = "ID")]
    pub ids: Vec<u64>,
    /// All present dead letters.
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// All events.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub all: bool,

    /// Events committed at this time or later: a time like 2026-01-31T12:00:00Z, or a date
    /// (midnight UTC).
    #[arg(long, value_name = "TIME", required_unless_present_any = ["to", "all"])]
    pub from: Option<String>,

    /// Events committed before this time.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,

    /// Only events of this topic.
    #[arg(long, value_name = "TOPIC", value_parser = ["order-events", "product-events", "user-events"])]
    pub topic: Option<String>,

    /// The command service's operations port.
    #[arg(long, env = "COMMAND_OPERATIONS_URL", default_value = "http://localhost:9080")]
    pub url: String,

    #[command(flatten)]
    pub access: Access,
}

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    pub action: KeysAction,

    /// The file that the services read.
    #[arg(long, global = true, env = "API_KEYS_FILE", default_value = "deploy/keys/api-keys.json")]
    pub file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Create a key and show it. It cannot be shown again.
    Create(NewKey),
    /// List all keys, including expired and revoked ones.
    List,
    /// Revoke a key. Services refuse it from now on.
    Revoke {
        /// The key's id, as it is listed, or the key itself.
        id: String,
    },
}

/// A key to create.
#[derive(Debug, Args)]
pub struct NewKey {
    /// The key's purpose: 1 to 100 characters.
    #[arg(long)]
    pub name: String,

    /// The key's role: `reader` (queries), `writer` (commands) or `admin` (both, and
    /// operations). Can be given several times.
    #[arg(long = "role", required = true, value_name = "ROLE")]
    pub roles: Vec<Role>,

    /// The key's lifetime: a number and m, h, d or w, such as 90d. Without it the key does
    /// not expire.
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub expires_in: Option<TimeDelta>,
}

/// Reads the lifetime of a key, a number and a unit: minutes, hours, days or weeks.
fn lifetime(text: &str) -> Result<TimeDelta, String> {
    let minutes = [("m", 1), ("h", 60), ("d", 24 * 60), ("w", 7 * 24 * 60)];
    let read = || {
        let (number, minutes) = minutes
            .into_iter()
            .find_map(|(unit, minutes)| Some((text.strip_suffix(unit)?, minutes)))?;
        let number: u32 = number.parse().ok().filter(|_| !number.starts_with('+'))?;
        let minutes = i64::from(number).checked_mul(minutes)?;
        (1..=MOST_MINUTES).contains(&minutes).then(|| TimeDelta::minutes(minutes))
    };
    read().ok_or_else(|| "must be a number and m, h, d or w, such as 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        let read = |line: &str| Arguments::try_parse_from(line.split(' '));
        for good in [
            "x dead-letters list",
            "x dead-letters redrive 1 2",
            "x dead-letters redrive --all --anyway",
            "x dead-letters discard 7 --port-offset 100",
            "x replay --all --topic order-events",
            "x replay --to 2026-02-01",
            "x replay --from 2026-01-31 --to 2026-02-01T12:00:00+01:00 --topic order-events",
            "x replay --all --api-key shop_1",
            "x dead-letters --api-key shop_1 list",
            "x keys create --name till --role writer --role reader --expires-in 90d",
            "x keys list --file keys.json",
            "x keys revoke 0123456789abcdef",
        ] {
            assert!(read(good).is_ok(), "{good}: {:?}", read(good).err());
        }
        for bad in [
            "x dead-letters redrive",
            "x dead-letters redrive 1 --all",
            "x dead-letters discard",
            "x replay",
            "x replay --all --from 2026-01-31",
            "x replay --all --topic orders",
            "x keys create --name till",
            "x keys create --role writer",
            "x keys create --name till --role owner",
            "x keys create --name till --role writer --expires-in 90",
            "x keys revoke",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        assert_eq!(lifetime("90d"), Ok(TimeDelta::days(90)));
        assert_eq!(lifetime("2w"), Ok(TimeDelta::days(14)));
        assert_eq!(lifetime("12h"), Ok(TimeDelta::hours(12)));
        assert_eq!(lifetime("5m"), Ok(TimeDelta::minutes(5)));
        for bad in ["", "d", "90", "0d", "-1d", "+1d", "1.5d", "1y", "4294967295w"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }
}
