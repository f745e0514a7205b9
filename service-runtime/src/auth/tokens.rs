//! JSON Web Tokens (RFC 7519), verified as RFC 8725 recommends.
//!
//! - HS256 uses only the secret; RS256 and ES256 use only the public key that the token
//!   names. A public key is never used as a secret, and `none` is not accepted.
//! - `exp` and `sub` are required, `nbf` is checked, and issuer and audience are checked if
//!   they are configured.
//! - Roles are in the claim `roles`: a list of strings, or a string with spaces. Unknown
//!   roles are ignored.

use super::caller::Caller;
use super::key_set::KeySet;
use super::settings::AuthSettings;
use super::token_cache::{TokenCache, VerifiedToken};
use super::watched_file::WatchedFile;
use access::{Role, Roles};
use anyhow::{Context, bail, ensure};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use std::sync::Arc;
use tracing::warn;

/// Accepted difference between the clocks of the issuer and this service, in seconds.
const LEEWAY: u64 = 30;

/// Minimum length of the secret: RFC 7518, section 3.2.
const MIN_SECRET_BYTES: usize = 32;

/// Maximum length of subject and issuer, in characters. They are stored with idempotency
/// keys.
const MAX_NAME_CHARS: usize = 255;

/// Verifies tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    secret: Option<DecodingKey>,
    /// None: no file of public keys.
    key_set: Option<Arc<WatchedFile<KeySet>>>,
    /// No public keys.
    no_keys: Arc<KeySet>,
    issuer: Option<String>,
    audience: Option<String>,
    cache: TokenCache,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    iss: String,
    /// Seconds since 1970, possibly with a fraction.
    exp: f64,
    #[serde(default)]
    roles: RoleNames,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RoleNames {
    List(Vec<String>),
    Text(String),
}

impl Default for RoleNames {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Tokens {
    /// Reads the secret and the public keys, if configured.
    ///
    /// # Errors
    /// They are invalid.
    pub fn open(settings: &AuthSettings) -> anyhow::Result<Self> {
        let secret = secret(settings)?;
        let key_set = settings.jwt_jwks_file.0.as_ref().map(|path| {
            WatchedFile::open("JWT_JWKS_FILE", path.into(), KeySet::parse, None).map(Arc::new)
        });
        if key_set.is_some()
            && (settings.jwt_issuer.0.is_none() || settings.jwt_audience.0.is_none())
        {
            warn!(
                "JWT_JWKS_FILE without JWT_ISSUER and JWT_AUDIENCE: tokens that the issuer issued \
                 for other services are accepted as well"
            );
        }
        Ok(Self {
            secret: secret.map(|secret| DecodingKey::from_secret(secret.as_bytes())),
            key_set: key_set.transpose()?,
            issuer: settings.jwt_issuer.0.clone(),
            audience: settings.jwt_audience.0.clone(),
            ..Self::default()
        })
    }

    /// Whether any token can be accepted.
    pub fn any_accepted(&self) -> bool {
        self.secret.is_some() || self.key_set.is_some()
    }

    /// The file of public keys, if configured.
    pub fn key_set(&self) -> Option<&Arc<WatchedFile<KeySet>>> {
        self.key_set.as_ref()
    }

    /// The caller of a token, if it is cached.
    pub fn cached(&self, token: &str, now: u64) -> Option<Caller> {
        self.cache.find(token, now, &self.keys())
    }

    /// Verifies a token and caches it.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, token: &str, now: u64) -> Result<Caller, &'static str> {
        let keys = self.keys();
        let header = decode_header(token).map_err(|error| reason(&error))?;
        let key = self.key_for(&header, &keys)?;
        let claims: Claims = decode(token, key, &self.rules(header.alg))
            .map(|token| token.claims)
            .map_err(|error| reason(&error))?;
        let caller = claims.caller()?;
        let until = (claims.exp.max(0.0) as u64).saturating_add(LEEWAY);
        self.cache.insert(token, VerifiedToken { caller: caller.clone(), until, keys }, now);
        Ok(caller)
    }

    fn keys(&self) -> Arc<KeySet> {
        self.key_set.as_ref().map_or_else(|| self.no_keys.clone(), |key_set| key_set.get())
    }

    fn key_for<'a>(
        &'a self,
        header: &Header,
        keys: &'a KeySet,
    ) -> Result<&'a DecodingKey, &'static str> {
        // None of them is supported: RFC 7515, section 4.1.11.
        if header.crit.is_some() {
            return Err("The token has critical headers.");
        }
        match header.alg {
            Algorithm::HS256 => self.secret.as_ref().ok_or("Tokens by HS256 are not accepted."),
            algorithm @ (Algorithm::RS256 | Algorithm::ES256) => {
                let id = header.kid.as_deref().ok_or("The token does not name its key.")?;
                keys.find(id, algorithm).ok_or("The key of the token is unknown.")
            }
            _ => Err("The algorithm of the token is not accepted."),
        }
    }

    fn rules(&self, algorithm: Algorithm) -> Validation {
        let mut rules = Validation::new(algorithm);
        rules.leeway = LEEWAY;
        rules.validate_nbf = true;
        // Without a configured audience, that of a token is ignored. With one, it is
        // required, which the library does not check by default.
        rules.validate_aud = self.audience.is_some();
        rules.aud = self.audience.iter().cloned().map(|audience| [audience].into()).next();
        rules.iss = self.issuer.iter().cloned().map(|issuer| [issuer].into()).next();
        let required = [
            Some("exp"),
            Some("sub"),
            self.audience.as_ref().map(|_| "aud"),
            self.issuer.as_ref().map(|_| "iss"),
        ];
        rules.required_spec_claims = required.into_iter().flatten().map(str::to_owned).collect();
        rules
    }
}

impl Claims {
    fn caller(&self) -> Result<Caller, &'static str> {
        let is_valid = |text: &str| {
            text.chars().count() <= MAX_NAME_CHARS && !text.chars().any(char::is_control)
        };
        if self.sub.is_empty() || !is_valid(&self.sub) {
            return Err("The subject of the token is invalid.");
        }
        if !is_valid(&self.iss) || self.iss.chars().any(char::is_whitespace) {
            return Err("The issuer of the token is invalid.");
        }
        let names: Vec<&str> = match &self.roles {
            RoleNames::List(names) => names.iter().map(String::as_str).collect(),
            RoleNames::Text(text) => text.split_whitespace().collect(),
        };
        let roles: Roles = names.into_iter().filter_map(|name| name.parse::<Role>().ok()).collect();
        Ok(Caller::of_token(&self.iss, &self.sub, roles))
    }
}

fn secret(settings: &AuthSettings) -> anyhow::Result<Option<String>> {
    let (setting, secret) = match (&settings.jwt_secret.0, &settings.jwt_secret_file.0) {
        (Some(_), Some(_)) => bail!("set JWT_SECRET or JWT_SECRET_FILE, not both"),
        (Some(secret), None) => ("JWT_SECRET", secret.clone()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read JWT_SECRET_FILE: {path}"))?;
            ("JWT_SECRET_FILE", text.trim().to_owned())
        }
        (None, None) => return Ok(None),
    };
    ensure!(
        secret.len() >= MIN_SECRET_BYTES,
        "{setting} must be random and have at least {MIN_SECRET_BYTES} bytes: create one with \
         `openssl rand -hex 32`"
    );
    Ok(Some(secret))
}

/// Why a token is refused, without details that help an attacker.
fn reason(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::ExpiredSignature => "The token has expired.",
        ErrorKind::ImmatureSignature => "The token is not valid yet.",
        ErrorKind::InvalidIssuer => "The token has another issuer.",
        ErrorKind::InvalidAudience => "The token is for another audience.",
        ErrorKind::MissingRequiredClaim(_) => "The token lacks a claim.",
        _ => "The token is not valid.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, encode, get_current_timestamp};
    use serde_json::{Value, json};

    const SECRET: &str = "a secret of at least thirty-two bytes";

    fn tokens(issuer: &str, audience: &str) -> Tokens {
        Tokens {
            secret: Some(DecodingKey::from_secret(SECRET.as_bytes())),
            issuer: Some(issuer.to_owned()).filter(|text| !text.is_empty()),
            audience: Some(audience.to_owned()).filter(|text| !text.is_empty()),
            ..Tokens::default()
        }
    }

    fn signed(claims: &Value) -> String {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
    }

    /// Claims of a token valid for an hour, overridden by others.
    fn claims(others: Value) -> Value {
        let mut claims = json!({"sub": "ada", "exp": get_current_timestamp() + 3600});
        for (name, value) in others.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    #[test]
    fn roles_are_a_list_or_a_string_and_unknown_roles_are_ignored() {
        let may = |roles: Value| {
            let token = signed(&claims(json!({"roles": roles})));
            let caller = tokens("", "").verify(&token, get_current_timestamp());
            caller.map(|caller| Role::ALL.map(|role| caller.may(role)))
        };
        assert_eq!(may(json!(["reader", "writer"])), Ok([true, true, false]));
        assert_eq!(may(json!("writer owner")), Ok([false, true, false]));
        assert_eq!(may(json!(["Admin", "root"])), Ok([false, false, false]));
        assert!(may(json!(7)).is_err());
        assert!(may(json!(["reader", 7])).is_err());
    }

    #[test]
    fn required_claims_are_checked() {
        let now = get_current_timestamp();
        let verify = |others: Value, issuer: &str, audience: &str| {
            tokens(issuer, audience).verify(&signed(&claims(others)), now).is_ok()
        };
        assert!(verify(json!({}), "", ""));
        assert!(verify(json!({"aud": "elsewhere"}), "", ""));
        assert!(verify(json!({"iss": "i", "aud": ["x", "a"]}), "i", "a"));
        for (others, issuer, audience) in [
            (json!({"exp": null}), "", ""),
            (json!({"exp": "tomorrow"}), "", ""),
            (json!({"exp": now - LEEWAY - 1}), "", ""),
            (json!({"nbf": now + LEEWAY + 10}), "", ""),
            (json!({"nbf": "tomorrow"}), "", ""),
            (json!({"sub": null}), "", ""),
            (json!({"sub": ""}), "", ""),
            (json!({"sub": "a\nb"}), "", ""),
            (json!({"sub": "x".repeat(256)}), "", ""),
            (json!({"iss": "i j"}), "", ""),
            (json!({}), "i", ""),
            (json!({"iss": "j"}), "i", ""),
            (json!({"iss": ["i", "j"]}), "i", ""),
            (json!({}), "", "a"),
            (json!({"aud": "b"}), "", "a"),
            (json!({"aud": []}), "", "a"),
        ] {
            assert!(!verify(others.clone(), issuer, audience), "{others} {issuer} {audience}");
        }
    }

    #[test]
    fn a_verified_token_is_cached_until_it_expires() {
        let (tokens, now) = (tokens("", ""), get_current_timestamp());
        let token = signed(&claims(json!({"roles": "reader"})));
        assert!(tokens.cached(&token, now).is_none());
        let caller = tokens.verify(&token, now).unwrap();
        assert_eq!(&**caller.id(), "jwt  ada");
        assert_eq!(tokens.cached(&token, now), Some(caller));
        assert!(tokens.cached(&token, now + 3600 + LEEWAY).is_none());
        assert!(tokens.verify(&format!("{token}x"), now).is_err());
        assert!(tokens.cached(&format!("{token}x"), now).is_none());
    }
}
