//! Where the broker is, and as whom to go there.

use lapin::uri::AMQPUri;
use std::fmt;
use std::str::FromStr;

/// Seconds between signs of life that the broker expects, unless the URL has
/// `?heartbeat=`. It gives deliveries to another consumer when it has missed two of a
/// connection that was lost on the way; with its own default that takes minutes.
const HEARTBEAT: u16 = 20;

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

    /// The user, unless the URL names one.
    #[arg(long = "broker-user", env = "BROKER_USER", default_value = "guest")]
    user: String,

    /// The password, unless the URL has one. As it is: in a URL, some characters need
    /// to be written as `%xx`.
    #[arg(
        long = "broker-password",
        env = "BROKER_PASSWORD",
        hide_env_values = true,
        default_value = "guest"
    )]
    password: String,
}

impl BrokerConfig {
    /// The whole address.
    pub fn url(&self) -> BrokerUrl {
        let GivenUrl { mut uri, names_user } = self.url.clone();
        if !names_user {
            uri.authority.userinfo.username.clone_from(&self.user);
            uri.authority.userinfo.password.clone_from(&self.password);
        }
        BrokerUrl(uri)
    }
}

/// An address with or without a user: `amqp://user:password@host:5672`. An empty
/// virtual host means the default one, `/`, as most people expect it to.
#[derive(Clone)]
struct GivenUrl {
    uri: AMQPUri,
    names_user: bool,
}

impl FromStr for GivenUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut uri: AMQPUri = text.parse()?;
        if uri.vhost.is_empty() {
            uri.vhost = "/".to_owned();
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Self { uri, names_user: text.contains('@') })
    }
}

impl fmt::Debug for GivenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BrokerUrl(self.uri.clone()).fmt(f)
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

    fn url(text: &str) -> BrokerUrl {
        let url = text.parse().unwrap();
        BrokerConfig { url, user: "shop".to_owned(), password: "p@ss/word".to_owned() }.url()
    }

    #[test]
    fn an_empty_virtual_host_is_the_default_one() {
        for text in ["amqp://h", "amqp://h:5672", "amqp://h:5672/", "amqp://h:5672/%2f"] {
            assert_eq!(url(text).uri().vhost, "/", "{text}");
        }
        assert_eq!(url("amqp://h/shop").uri().vhost, "shop");
    }

    #[test]
    fn a_user_in_the_url_comes_first() {
        let user = |text| {
            let userinfo = url(text).uri().authority.userinfo;
            (userinfo.username, userinfo.password)
        };
        let pair = |user: &str, password: &str| (user.to_owned(), password.to_owned());
        assert_eq!(user("amqp://guest:secret@h"), pair("guest", "secret"));
        assert_eq!(user("amqp://h:5672/%2f"), pair("shop", "p@ss/word"));
    }

    #[test]
    fn no_password_is_shown() {
        assert_eq!(format!("{:?}", url("amqp://guest:secret@h")), "h:5672 vhost /");
    }
}
