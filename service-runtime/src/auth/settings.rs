//! Settings of who may call.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of who may call. What is empty counts as not set, as in a compose file.
#[derive(Clone, Debug, clap::Args)]
pub struct AuthSettings {
    /// `on`: every call but /health and /metrics needs an API key or a token, and a
    /// role. `off`: anybody may do anything.
    #[arg(long, env = "AUTH", default_value = "off")]
    pub auth: Switch,

    /// The file of API keys, made by `cargo stack keys`. It is read again when it has
    /// changed.
    #[arg(long, env = "API_KEYS_FILE", default_value = "deploy/keys/api-keys.json")]
    pub api_keys_file: PathBuf,

    /// The secret of tokens signed by HS256, at least 32 bytes.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, default_value = "")]
    pub jwt_secret: Secret,

    /// A file with that secret. Blanks and line ends around it do not count.
    #[arg(long, env = "JWT_SECRET_FILE", default_value = "")]
    pub jwt_secret_file: Optional,

    /// A file with the public keys (JWKS) of tokens signed by RS256 or ES256. It is
    /// read again when it has changed.
    #[arg(long, env = "JWT_JWKS_FILE", default_value = "")]
    pub jwt_jwks_file: Optional,

    /// The `iss` that tokens must have.
    #[arg(long, env = "JWT_ISSUER", default_value = "")]
    pub jwt_issuer: Optional,

    /// The `aud` that tokens must have.
    #[arg(long, env = "JWT_AUDIENCE", default_value = "")]
    pub jwt_audience: Optional,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// A text that may be absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Optional(pub Option<String>);

/// A text that is not to be seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Option<String>);

impl FromStr for Optional {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Some(text.trim().to_owned()).filter(|text| !text.is_empty())))
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse::<Optional>()?.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "not set" })
    }
}
