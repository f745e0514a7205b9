//! Where the broker is, and as whom to go there.

use lapin::uri::AMQPUri;
use std::fmt;
use std::str::FromStr;

/// Seconds between signs of life that the broker expects, unless the URL has
/// `?heartbeat=`. It gives deliveries to another consumer when it has missed two of a
/// connection that was lost on the way; with its own default that takes minutes.
const HEARTBEAT: u16 = 20;

const FORM: &str = "must be like amqp://user:password@host:5672 or amqps://…";

/// The settings of the broker.
#[derive(Clone, Debug, clap::Args)]
pub struct BrokerConfig {
    /// The broker.
    #[arg(
        long = "broker-url",
        env = "BROKER_URL",
        hide_env_values = true,
        default_value = "amqp://localhost:5672"
    )]
    url: GivenUrl,

    /// The user, instead of the one that the URL names.
    #[arg(long = "broker-user", env = "BROKER_USER")]
    user: Option<String>,

    /// The password of that user, not percent-encoded.
    #[arg(long = "broker-password", env = "BROKER_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

impl BrokerConfig {
    /// The whole address.
    pub fn url(&self) -> BrokerUrl {
        let GivenUrl(mut uri) = self.url.clone();
        if let Some(user) = self.user.clone().filter(|user| !user.is_empty()) {
            uri.authority.userinfo.username = user;
            uri.authority.userinfo.password = self.password.clone().unwrap_or_default();
        }
        BrokerUrl(uri)
    }
}

/// An address with or without a user: `amqp://user:password@host:5672`. Without one, the
/// user is `guest`. An empty virtual host means the default one, `/`.
#[derive(Clone)]
struct GivenUrl(AMQPUri);

impl FromStr for GivenUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !(text.starts_with("amqp://") || text.starts_with("amqps://")) {
            return Err(FORM.to_owned());
        }
        if text.contains('#') {
            return Err("has a `#`: write it as %23".to_owned());
        }
        // The library's message is not shown, because it quotes the address.
        let mut uri: AMQPUri = text.parse().map_err(|_| {
            format!("cannot be read: it {FORM}; in user and password write : / ? # @ as %3A %2F %3F %23 %40")
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

impl fmt::Debug for GivenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BrokerUrl(self.0.clone()).fmt(f)
    }
}

/// The address of the broker, with user and password.
#[derive(Clone)]
pub struct BrokerUrl(AMQPUri);

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
    fn a_user_that_is_set_wins_over_the_url() {
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
    fn an_ipv6_address_is_one() {
        for text in ["amqp://[::1]:5672", "amqp://u:p@[::1]/shop"] {
            assert_eq!(url(text).uri().authority.host, "::1", "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for text in [
            "http://u:s3cret@h",
            "u:s3cret@h",
            "amqp://u:s3cret#@h",
            "amqp://u:s3cret/@h",
            "amqp://u:s3cret@h:99999",
            "amqp://u:s3cret@h?heartbeat=s3cret",
            "",
        ] {
            let complaint = text.parse::<GivenUrl>().unwrap_err();
            assert!(!complaint.is_empty() && !complaint.contains("s3cret"), "{complaint}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        assert_eq!(format!("{:?}", url("amqp://guest:secret@h")), "h:5672 vhost /");
    }
}
