//! The command line.

use clap::{Args, Parser, Subcommand};

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
}

/// Arguments of `dead-letters`.
#[derive(Debug, Args)]
pub struct DeadLetters {
    /// What to do with them.
    #[command(subcommand)]
    pub action: Action,

    /// The consumer service's operations port.
    #[arg(long, global = true, value_name = "URL", default_value = "http://localhost:9082")]
    pub url: String,

    /// Added to the port of the default URL, as for `cargo stack up`.
    #[arg(long, global = true, value_name = "N", default_value_t = 0, conflicts_with = "url")]
    pub port_offset: u16,
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
    #[arg(long, value_name = "URL", default_value = "http://localhost:9080")]
    pub url: String,

    /// Added to the port of the default URL, as for `cargo stack up`.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "url")]
    pub port_offset: u16,
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
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
