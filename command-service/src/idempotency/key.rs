//! The key of a command.

use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use service_runtime::auth::Caller;
use service_runtime::problem::{FieldError, Problem};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// The header that brings it.
const HEADER: &str = "idempotency-key";

/// Longest key, in characters.
const MAX_CHARS: usize = 255;

/// The key of a command, with all that it is a key for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Method and path of the call.
    pub scope: String,
    /// Who called: with one key two callers mean two commands. None if nobody has to
    /// say who they are.
    pub caller: Option<Arc<str>>,
    /// The key as it was sent.
    pub key: String,
    /// SHA-256 of the request's body.
    pub body_sha256: [u8; 32],
}

impl Key {
    /// The key of a request with that body; none if it has none.
    ///
    /// # Errors
    /// 400 if it is none that could be kept.
    pub fn read(parts: &Parts, body: &[u8]) -> Result<Option<Self>, Problem> {
        let mut given = parts.headers.get_all(HEADER).iter();
        let Some(first) = given.next() else { return Ok(None) };
        let text = first.to_str().unwrap_or_default();
        let is_key = (1..=MAX_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && given.next().is_none();
        if !is_key {
            return Err(invalid());
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

    /// The caller as a text, empty for anybody.
    pub fn caller(&self) -> &str {
        self.caller.as_deref().unwrap_or_default()
    }
}

/// The header that brings a key, as documents have it.
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
            "Makes it safe to send the command again: with the same key and body, within 24 \
             hours, it gets the same answer and nothing happens a second time.",
        ))
        .schema(Some(schema))
        .example(Some("7c1a6a0e-order-1".into()))
        .build()
}

fn invalid() -> Problem {
    let message = format!(
        "must be 1 to {MAX_CHARS} visible ASCII characters without blanks, and be there once"
    );
    Problem::bad_request("Invalid idempotency key")
        .detail("Nothing was changed. A UUID makes a good key.")
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
    fn a_key_belongs_to_its_call_and_body() {
        assert_eq!(read(&[], b"{}").unwrap(), None);
        let key = read(&["k-1"], b"{}").unwrap().unwrap();
        assert_eq!((key.scope.as_str(), key.key.as_str()), ("POST /api/orders", "k-1"));
        assert_ne!(key, read(&["k-1"], b"{ }").unwrap().unwrap());
    }

    #[test]
    fn a_path_is_one_however_it_is_encoded() {
        let scope = |path: &str| {
            let request = Request::put(path).header(HEADER, "k").body(()).unwrap();
            Key::read(&request.into_parts().0, b"").unwrap().unwrap().scope
        };
        assert_eq!(scope("/api/products/%37"), scope("/api/products/7"));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert!(read(&[&"k".repeat(255)], b"").is_ok());
        for keys in [&[""][..], &["a b"], &[&"k".repeat(256)], &["a", "a"], &["é"]] {
            assert!(read(keys, b"").is_err(), "{keys:?}");
        }
    }
}
