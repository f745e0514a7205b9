//! Configuration that services share. Each service derives its own struct,
//! from which every setting is read and checked once, at boot.

use crate::trace_export::TraceSettings;
use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use lapin::uri::AMQPUri;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Reads the settings of a service; exits with what is wrong, if anything is. Of an
/// address that is, it is not said what it is: there may be a password in it.
pub fn read<C: Parser>() -> C {
    C::try_parse().unwrap_or_else(|mut error| {
        let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string);
        if argument.is_some_and(|argument| argument.contains("-url")) {
            let hidden = ContextValue::String("(not shown)".to_owned());
            error.insert(ContextKind::InvalidValue, hidden);
        }
        error.exit()
    })
}

/// Settings that every service has.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Address on which the operations port listens (health, metrics). Keep it
    /// on the loopback interface, or inside a container's network.
    #[arg(long, env = "OPERATIONS_ADDRESS", default_value = "127.0.0.1")]
    pub operations_address: IpAddr,

    /// `text` for people, `json` for log collectors. What is logged is chosen
    /// by RUST_LOG, for instance `info,sqlx=warn`.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Ask the running service for its health and exit with 0 or 1: for
    /// container health checks, in images without curl.
    #[arg(long)]
    pub health_check: bool,

    /// Where traces go.
    #[command(flatten)]
    pub traces: TraceSettings,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object.
    Json,
}

/// Seconds between signs of life that the broker expects, unless the URL has
/// `?heartbeat=`. It gives deliveries to another consumer when it has missed two of a
/// connection that was lost on the way; with its own default that takes minutes.
const HEARTBEAT: u16 = 20;

/// Where the broker is: `amqp://user:password@host:5672`. An empty virtual
/// host means the default one, `/`, as most people expect it to.
#[derive(Clone)]
pub struct BrokerUrl(AMQPUri);

impl BrokerUrl {
    /// The parsed address.
    pub fn uri(&self) -> AMQPUri {
        self.0.clone()
    }
}

impl FromStr for BrokerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut uri: AMQPUri = text.parse()?;
        if uri.vhost.is_empty() {
            uri.vhost = "/".to_owned();
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Self(uri))
    }
}

impl fmt::Debug for BrokerUrl {
    /// Leaves the password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { authority, vhost, .. } = &self.0;
        write!(f, "{}:{} vhost {vhost}", authority.host, authority.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_virtual_host_is_the_default_one() {
        for text in ["amqp://h", "amqp://h:5672", "amqp://h:5672/", "amqp://h:5672/%2f"] {
            assert_eq!(text.parse::<BrokerUrl>().unwrap().uri().vhost, "/", "{text}");
        }
        assert_eq!("amqp://h/shop".parse::<BrokerUrl>().unwrap().uri().vhost, "shop");
    }

    #[test]
    fn no_password_is_shown() {
        let url: BrokerUrl = "amqp://guest:secret@h".parse().unwrap();
        assert_eq!(format!("{url:?}"), "h:5672 vhost /");
    }
}
