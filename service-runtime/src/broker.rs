//! The address of the broker, and the user and password for it.

use lapin::uri::AMQPUri;
use std::fmt;
use std::str::FromStr;

/// Heartbeat timeout in seconds, unless the URL has `?heartbeat=`. If a connection is lost
/// without being closed, the broker redelivers its messages to another consumer after this
/// time. With the broker's default that takes minutes.
const HEARTBEAT: u16 = 20;

const URL_FORMAT: &str = "must be like amqp://user:password@host:5672 or amqps://…";

/// The settings of the broker.
#[derive(Clone, Debug, clap::Args)]
pub struct BrokerConfig {
    /// URL of the broker.
    #[arg(
        long = "broker-url",
        env = "BROKER_URL",
        hide_env_values = true,
        default_value = "amqp://localhost:5672"
    )]
    url: BrokerUrl,

    /// User name; overrides the one in the URL.
    #[arg(long = "broker-user", env = "BROKER_USER")]
    user: Option<String>,

    /// Password of `BROKER_USER`, not percent-encoded.
    #[arg(long = "broker-password", env = "BROKER_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

impl BrokerConfig {
    /// The URL with the configured user.
    pub fn url(&self) -> BrokerUrl {
        let BrokerUrl(mut uri) = self.url.clone();
        if let Some(user) = self.user.clone().filter(|user| !user.is_empty()) {
            uri.authority.userinfo.username = user;
            uri.authority.userinfo.password = self.password.clone().unwrap_or_default();
        }
        BrokerUrl(uri)
    }
}

/// The address of the broker, with user and password: `amqp://user:password@host:5672`.
/// Without a user, it is `guest`. An empty virtual host means the default one, `/`.
#[derive(Clone)]
pub struct BrokerUrl(AMQPUri);

impl FromStr for BrokerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !(text.starts_with("amqp://") || text.starts_with("amqps://")) {
            return Err(URL_FORMAT.to_owned());
        }
        if text.contains('#') {
            return Err("contains `#`: write it as %23".to_owned());
        }
        // The library's message is not shown, because it quotes the address.
        let mut uri: AMQPUri = text.parse().map_err(|_| {
            format!("cannot be read: it {URL_FORMAT}; in user and password write : / ? # @ as %3A %2F %3F %23 %40")
        })?;
        // The library ignores an IPv6 address and connects to localhost.
        let address = text.rsplit_once('@').map_or(text, |(_, address)| address);
        if let Some((host, _)) = address.split_once('[').and_then(|(_, rest)| rest.split_once(']'))
        {
            uri.authority.host = host.to_owned();
        }
        if uri.vhost.is_empty() {
            uri.vhost = "/".to_owned();
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Self(uri))
    }
}

impl BrokerUrl {
    /// The parsed address.
    pub fn uri(&self) -> AMQPUri {
        self.0.clone()
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

    fn url_as(user: Option<&str>, text: &str) -> BrokerUrl {
        let (user, password) = (user.map(str::to_owned), Some("p@ss/word".to_owned()));
        BrokerConfig { url: text.parse().unwrap(), user, password }.url()
    }

    fn url(text: &str) -> BrokerUrl {
        url_as(None, text)
    }

    #[test]
    fn an_empty_virtual_host_is_the_default_one() {
        for text in ["amqp://h", "amqp://h:5672", "amqp://h:5672/", "amqp://h:5672/%2f"] {
            assert_eq!(url(text).uri().vhost, "/", "{text}");
        }
        assert_eq!(url("amqp://h/shop").uri().vhost, "shop");
    }

    #[test]
    fn a_configured_user_overrides_the_url() {
        let login = |user, text| {
            let userinfo = url_as(user, text).uri().authority.userinfo;
            (userinfo.username, userinfo.password)
        };
        let pair = |user: &str, password: &str| (user.to_owned(), password.to_owned());
        for text in ["amqp://ada:secret@h", "amqp://h:5672/%2f"] {
            assert_eq!(login(Some("shop"), text), pair("shop", "p@ss/word"), "{text}");
        }
        for unset in [None, Some("")] {
            assert_eq!(login(unset, "amqp://ada:secret@h"), pair("ada", "secret"));
            assert_eq!(login(unset, "amqp://h:5672/%2f"), pair("guest", "guest"));
        }
    }

    #[test]
    fn an_ipv6_address_is_the_host() {
        for text in ["amqp://[::1]:5672", "amqp://u:p@[::1]/shop"] {
            assert_eq!(url(text).uri().authority.host, "::1", "{text}");
        }
    }

    #[test]
    fn errors_do_not_contain_the_password() {
        for text in [
            "http://u:s3cret@h",
            "u:s3cret@h",
            "amqp://u:s3cret#@h",
            "amqp://u:s3cret/@h",
            "amqp://u:s3cret@h:99999",
            "amqp://u:s3cret@h?heartbeat=s3cret",
            "",
        ] {
            let error = text.parse::<BrokerUrl>().unwrap_err();
            assert!(!error.is_empty() && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn debug_hides_the_password() {
        assert_eq!(format!("{:?}", url("amqp://guest:secret@h")), "h:5672 vhost /");
    }
}
