//! Public keys of tokens: a JWK Set, RFC 7517.

use anyhow::{Context, bail, ensure};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// Minimum RSA modulus, in bits: RFC 7518, section 3.3.
const MIN_RSA_BITS: usize = 2048;

/// Public keys by their id, each for one algorithm.
#[derive(Debug, Default)]
pub struct KeySet(HashMap<String, (Algorithm, DecodingKey)>);

#[derive(Debug, Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Parses a key set. Keys for other purposes are skipped.
    ///
    /// # Errors
    /// The set is malformed, has no key for RS256 or ES256, or has a weak or duplicate key.
    pub fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_slice(text).context("not a JWK Set")?;
        let mut keys = HashMap::new();
        for key in document.keys {
            let Ok(key) = serde_json::from_value::<Jwk>(key) else { continue };
            let Some((algorithm, id)) = purpose(&key) else { continue };
            if let AlgorithmParameters::RSA(parameters) = &key.algorithm {
                // The modulus is base64url without a leading zero byte: 4 characters for 3 bytes.
                let bits = parameters.n.trim_end_matches('=').len() * 6 / 8 * 8;
                ensure!(bits >= MIN_RSA_BITS, "key {id:?} has {bits} bits, not {MIN_RSA_BITS}");
            }
            let public = DecodingKey::from_jwk(&key).with_context(|| format!("key {id:?}"))?;
            if keys.insert(id.clone(), (algorithm, public)).is_some() {
                bail!("key {id:?} is a duplicate");
            }
        }
        ensure!(!keys.is_empty(), "no key with a kid for RS256 or ES256");
        Ok(Self(keys))
    }

    /// The key with an id, if it is for an algorithm. The publisher of the key determines its
    /// algorithm, not the token.
    pub fn find(&self, id: &str, algorithm: Algorithm) -> Option<&DecodingKey> {
        self.0.get(id).filter(|(made_for, _)| *made_for == algorithm).map(|(_, key)| key)
    }
}

/// The algorithm and id of a key; none if the key is for another purpose. Secret keys are
/// skipped too: a key set is a public file.
fn purpose(key: &Jwk) -> Option<(Algorithm, &String)> {
    let (algorithm, named) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let is_for_signatures =
        matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let is_for_it = key.common.key_algorithm.is_none_or(|given| given == named);
    (is_for_signatures && is_for_it).then_some(())?;
    Some((algorithm, key.common.key_id.as_ref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#"{"kty":"EC","kid":"ec","crv":"P-256","alg":"ES256","use":"sig",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

    fn rsa(characters: usize) -> String {
        format!(r#"{{"kty":"RSA","kid":"rsa","n":"{}","e":"AQAB"}}"#, "w".repeat(characters))
    }

    fn parse(keys: &[&str]) -> anyhow::Result<KeySet> {
        KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn a_key_is_for_one_algorithm_only() {
        let keys = parse(&[EC, &rsa(342)]).unwrap();
        assert!(keys.find("ec", Algorithm::ES256).is_some());
        assert!(keys.find("rsa", Algorithm::RS256).is_some());
        for (id, algorithm) in [
            ("ec", Algorithm::RS256),
            ("rsa", Algorithm::ES256),
            ("rsa", Algorithm::HS256),
            ("rsa", Algorithm::RS512),
            ("other", Algorithm::ES256),
        ] {
            assert!(keys.find(id, algorithm).is_none(), "{id} {algorithm:?}");
        }
    }

    #[test]
    fn keys_for_other_purposes_are_skipped() {
        let others = [
            r#"{"kty":"oct","kid":"oct","k":"c2VjcmV0"}"#.to_owned(),
            r#"{"kty":"OKP","kid":"okp","crv":"Ed25519","x":"AAAA"}"#.to_owned(),
            r#"{"kty":"new","kid":"new"}"#.to_owned(),
            EC.replace("\"sig\"", "\"enc\""),
            EC.replace("\"kid\":\"ec\",", ""),
            rsa(342).replace("\"e\"", "\"alg\":\"PS256\",\"e\""),
        ];
        for other in &others {
            assert!(parse(&[other]).is_err(), "{other}");
        }
        let mut all: Vec<&str> = others.iter().map(String::as_str).collect();
        all.push(EC);
        assert_eq!(parse(&all).unwrap().0.len(), 1);
    }

    #[test]
    fn weak_and_duplicate_keys_are_refused() {
        assert!(parse(&[&rsa(340)]).is_err());
        assert!(parse(&[EC, EC]).is_err());
        assert!(KeySet::parse(b"{}").is_err());
    }
}
