//! Settings of authentication.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of authentication. An empty value counts as not set, as in a Compose file.
#[derive(Clone, Debug, clap::Args)]
pub struct AuthSettings {
    /// `on`: every request except /health and /metrics requires an API key or a token, and
    /// a role. `off`: no authentication.
    #[arg(long, env = "AUTH", default_value = "off")]
    pub auth: Switch,

    /// File with the API keys, written by `cargo stack keys`. Reloaded when it changes.
    #[arg(long, env = "API_KEYS_FILE", default_value = "deploy/keys/api-keys.json")]
    pub api_keys_file: PathBuf,

    /// Secret of HS256 tokens, at least 32 bytes.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, default_value = "")]
    pub jwt_secret: Optional,

    /// File with the secret. Surrounding whitespace is ignored.
    #[arg(long, env = "JWT_SECRET_FILE", default_value = "")]
    pub jwt_secret_file: Optional,

    /// File with the public keys (JWKS) of RS256 and ES256 tokens. Reloaded when it changes.
    #[arg(long, env = "JWT_JWKS_FILE", default_value = "")]
    pub jwt_jwks_file: Optional,

    /// Required `iss` of tokens.
    #[arg(long, env = "JWT_ISSUER", default_value = "")]
    pub jwt_issuer: Optional,

    /// Required `aud` of tokens.
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

/// An optional text, which is never shown because it may be secret.
#[derive(Clone)]
pub struct Optional(pub Option<String>);

impl FromStr for Optional {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Some(text.trim().to_owned()).filter(|text| !text.is_empty())))
    }
}

impl fmt::Debug for Optional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "not set" })
    }
}
