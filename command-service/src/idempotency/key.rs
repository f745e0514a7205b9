//! The idempotency key of a command.

use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use service_runtime::auth::Caller;
use service_runtime::problem::{FieldError, Problem};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// The request header.
const HEADER: &str = "idempotency-key";

/// Maximum length of a key, in characters.
const MAX_CHARS: usize = 255;

/// The key of a command, with its scope and the digest of the body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Method and path of the call.
    pub scope: String,
    /// The caller: equal keys of two callers are different. None without authentication.
    pub caller: Option<Arc<str>>,
    /// The key as received.
    pub key: String,
    /// SHA-256 of the request body.
    pub body_sha256: [u8; 32],
}

impl Key {
    /// The key of a request; none if the request has no key.
    ///
    /// # Errors
    /// 400 if the key is invalid.
    pub fn read(parts: &Parts, body: &[u8]) -> Result<Option<Self>, Problem> {
        let mut given = parts.headers.get_all(HEADER).iter();
        let Some(first) = given.next() else { return Ok(None) };
        let text = first.to_str().unwrap_or_default();
        let is_key = (1..=MAX_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && given.next().is_none();
        if !is_key {
            return Err(invalid_key());
        }
        Ok(Some(Self {
            // Decoded: `/api/products/%37` is the same resource as `/api/products/7`.
            scope: format!(
                "{} {}",
                parts.method,
                percent_decode_str(parts.uri.path()).decode_utf8_lossy()
            ),
            caller: parts.extensions.get().map(|caller: &Caller| caller.id().clone()),
            key: text.to_owned(),
            body_sha256: Sha256::digest(body).into(),
        }))
    }

    /// The caller, empty without authentication.
    pub fn caller(&self) -> &str {
        self.caller.as_deref().unwrap_or_default()
    }
}

/// The description of the header.
pub fn parameter() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_CHARS))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Makes the command safe to retry. A retry with the same key and body within 24 hours \
             returns the stored response and has no further effect.",
        ))
        .schema(Some(schema))
        .example(Some("7c1a6a0e-order-1".into()))
        .build()
}

/// The response to an invalid key.
pub fn invalid_key() -> Problem {
    let message =
        format!("must be 1 to {MAX_CHARS} visible ASCII characters without spaces, sent once");
    Problem::bad_request("Invalid idempotency key")
        .detail("Nothing was changed. Use a UUID, for example.")
        .fields(vec![FieldError { field: "Idempotency-Key".to_owned(), message: message.into() }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn read(keys: &[&str], body: &[u8]) -> Result<Option<Key>, Problem> {
        let request = Request::post("http://shop/api/orders?a=b");
        let request = keys.iter().fold(request, |request, key| request.header(HEADER, *key));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Key::read(&parts, body)
    }

    #[test]
    fn a_key_is_scoped_to_method_path_and_body() {
        assert_eq!(read(&[], b"{}").unwrap(), None);
        let key = read(&["k-1"], b"{}").unwrap().unwrap();
        assert_eq!((key.scope.as_str(), key.key.as_str()), ("POST /api/orders", "k-1"));
        assert_ne!(key, read(&["k-1"], b"{ }").unwrap().unwrap());
    }

    #[test]
    fn percent_encoding_of_the_path_does_not_matter() {
        let scope = |path: &str| {
            let request = Request::put(path).header(HEADER, "k").body(()).unwrap();
            Key::read(&request.into_parts().0, b"").unwrap().unwrap().scope
        };
        assert_eq!(scope("/api/products/%37"), scope("/api/products/7"));
    }

    #[test]
    fn invalid_keys_are_refused() {
        assert!(read(&[&"k".repeat(255)], b"").is_ok());
        for keys in [&[""][..], &["a b"], &[&"k".repeat(256)], &["a", "a"], &["é"]] {
            assert!(read(keys, b"").is_err(), "{keys:?}");
        }
    }
}
