//! The database servers and the broker that tests use.

use std::env;

/// Addresses of two database servers and a broker.
#[derive(Clone, Debug)]
pub struct Servers {
    /// URL of the write database's server.
    pub write: String,
    /// URL of the read database's server.
    pub read: String,
    /// URL of the broker.
    pub broker: String,
    /// URL of its management interface.
    pub management: String,
}

impl Servers {
    /// The servers that `cargo stack test` has started.
    pub fn of_environment() -> Self {
        Self::named(|name| env::var(name).ok())
    }

    /// The servers with the addresses of these variables.
    pub fn named(address: impl Fn(&str) -> Option<String>) -> Self {
        let setting = |name| {
            address(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo stack test`"))
        };
        Self {
            write: setting("DATABASE_URL"),
            read: setting("READ_DATABASE_URL"),
            broker: setting("BROKER_URL"),
            management: setting("BROKER_MANAGEMENT_URL"),
        }
    }
}
