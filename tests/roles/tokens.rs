//! Tokens signed by an issuer, with keys that are generated for the test.

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use p256::pkcs8::EncodePrivateKey;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::rand_core::OsRng;
use serde_json::{Value, json};

pub const SECRET: &str = "a test secret of more than thirty-two bytes";
pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "shop";

/// Signs tokens.
pub struct Signer {
    secret: EncodingKey,
    rsa: EncodingKey,
    p256: EncodingKey,
}

impl Signer {
    pub fn new() -> Self {
        let rsa = RsaPrivateKey::new(&mut OsRng, 2048).unwrap();
        let p256 = p256::SecretKey::random(&mut OsRng);
        Self {
            secret: EncodingKey::from_secret(SECRET.as_bytes()),
            rsa: EncodingKey::from_rsa_der(rsa.to_pkcs1_der().unwrap().as_bytes()),
            p256: EncodingKey::from_ec_der(p256.to_pkcs8_der().unwrap().as_bytes()),
        }
    }

    /// Public keys of `rsa` and `p256`, by these names.
    pub fn key_set(&self) -> JwkSet {
        let key = |id: &str, key, algorithm| {
            let mut key = Jwk::from_encoding_key(key, algorithm).unwrap();
            key.common.key_id = Some(id.to_owned());
            key
        };
        let rsa = key("rsa", &self.rsa, Algorithm::RS256);
        JwkSet { keys: vec![rsa, key("p256", &self.p256, Algorithm::ES256)] }
    }

    /// A valid token with these changes. A claim that is null is left out.
    pub fn token(&self, algorithm: Algorithm, kid: Option<&str>, changes: Value) -> String {
        let key = match algorithm {
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::PS256 => &self.rsa,
            Algorithm::ES256 => &self.p256,
            _ => &self.secret,
        };
        signed(algorithm, kid, key, changes)
    }
}

pub fn signed(
    algorithm: Algorithm,
    kid: Option<&str>,
    key: &EncodingKey,
    changes: Value,
) -> String {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": get_current_timestamp() + 3600,
        "nbf": get_current_timestamp() - 10, "roles": ["admin"],
    });
    let claims = claims.as_object_mut().unwrap();
    claims.extend(changes.as_object().unwrap().clone());
    claims.retain(|_, value| !value.is_null());
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    encode(&header, &claims, key).unwrap()
}

/// A token with the signature of another.
pub fn with_signature_of(token: &str, other: &str) -> String {
    let (message, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    format!("{message}.{signature}")
}
