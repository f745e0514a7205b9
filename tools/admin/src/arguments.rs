//! The command line.

use crate::lifetime::lifetime;
use access::Role;
use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Asks running services to do something.
#[derive(Debug, Parser)]
#[command(name = "cargo stack", bin_name = "cargo stack", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at events that could not be applied, apply them after all, or drop them.
    DeadLetters(DeadLetters),
    /// Publish a stretch of history again.
    ///
    /// For when events were lost on their way: a queue was deleted or purged, or the
    /// read database restored from a backup. Views ignore what they have.
    Replay(Replay),
    /// Make, list and revoke API keys, for services with AUTH=on.
    ///
    /// Keys are in a file, as hashes. Services look at it every second, so nothing is
    /// to be restarted.
    Keys(Keys),
}

/// Arguments of `dead-letters`.
#[derive(Debug, Args)]
pub struct DeadLetters {
    /// What to do with them.
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

    /// Added to the port of the default URL, as for `cargo stack up`.
    #[arg(long, global = true, value_name = "N", default_value_t = 0, conflicts_with = "url")]
    pub port_offset: u16,

    /// Who asks.
    #[command(flatten)]
    pub credential: Credential,
}

/// Who asks.
#[derive(Debug, Args)]
pub struct Credential {
    /// An API key with the role admin, if the services have AUTH=on.
    #[arg(long, global = true, value_name = "KEY", env = "SHOP_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List them, the oldest first.
    List,
    /// Show one with its bytes, as JSON.
    Show {
        /// The letter's number.
        id: u64,
    },
    /// Apply events once and drop their letters, after the cause was removed.
    Redrive {
        /// Which.
        #[command(flatten)]
        which: Which,
        /// Also those that are older than the memory of processed events. Make sure
        /// before that the views do not have them: nobody else can tell.
        #[arg(long)]
        anyway: bool,
    },
    /// Drop letters for good, without applying them.
    Discard {
        /// Which.
        #[command(flatten)]
        which: Which,
    },
}

/// Some letters, or all.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Numbers of letters.
    #[arg(value_name = "ID")]
    pub ids: Vec<u64>,
    /// All letters that there are now.
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The whole history.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub all: bool,

    /// Events committed then or later: a time like 2026-01-31T12:00:00Z, or a date
    /// (midnight UTC).
    #[arg(long, value_name = "TIME", required_unless_present_any = ["to", "all"])]
    pub from: Option<String>,

    /// Events committed before that.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,

    /// Events of one topic only.
    #[arg(long, value_name = "TOPIC", value_parser = ["order-events", "product-events", "user-events"])]
    pub topic: Option<String>,

    /// The command service's operations port.
    #[arg(
        long,
        value_name = "URL",
        env = "COMMAND_OPERATIONS_URL",
        default_value = "http://localhost:9080"
    )]
    pub url: String,

    /// Added to the port of the default URL, as for `cargo stack up`.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "url")]
    pub port_offset: u16,

    /// Who asks.
    #[command(flatten)]
    pub credential: Credential,
}

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct Keys {
    /// What to do with them.
    #[command(subcommand)]
    pub action: KeysAction,

    /// The file that the services read.
    #[arg(long, global = true, env = "API_KEYS_FILE", default_value = "deploy/keys/api-keys.json")]
    pub file: PathBuf,
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Make a key, and show it: once, and nowhere else.
    Create(NewKey),
    /// List the keys that there are and were.
    List,
    /// Have a key refused from now on.
    Revoke {
        /// The key's id, as it is listed; or the whole key.
        id: String,
    },
}

/// A key to be made.
#[derive(Debug, Args)]
pub struct NewKey {
    /// What it is for: 1 to 100 characters.
    #[arg(long)]
    pub name: String,

    /// What its owner may do: `reader` read views, `writer` give commands, `admin`
    /// operate the services and both others. May be given several times.
    #[arg(long = "role", required = true, value_name = "ROLE")]
    pub roles: Vec<Role>,

    /// After how long it expires: a number and m, h, d or w, such as 90d. Without it,
    /// it does not.
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub expires_in: Option<TimeDelta>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_makes_sense() {
        Arguments::command().debug_assert();
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
}
