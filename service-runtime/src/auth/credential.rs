//! The credential of a request.

use super::refusal::Refusal;
use axum::http::{HeaderMap, HeaderName, header};

/// The header with an API key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Maximum length of a credential. A token with a few claims has some hundred bytes.
const MAX_BYTES: usize = 8 << 10;

/// A credential as received. Without `Debug`, so that it is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// An API key, by its prefix.
    Key(&'a str),
    /// Anything else is treated as a token.
    Token(&'a str),
}

impl<'a> Credential<'a> {
    /// The credential of a request; none if there is none.
    ///
    /// # Errors
    /// 401 if it is malformed; 400 if there are two different ones.
    pub fn of(headers: &'a HeaderMap) -> Result<Option<Self>, Refusal> {
        let key = one(headers, &API_KEY)?;
        let bearer = one(headers, &header::AUTHORIZATION)?.map(of_scheme).transpose()?;
        match (key, bearer) {
            (Some(key), Some(bearer)) if key != bearer => Err(Refusal::Ambiguous),
            (Some(key), _) => Ok(Some(Self::Key(key))),
            (None, Some(bearer)) if bearer.starts_with(access::PREFIX) => {
                Ok(Some(Self::Key(bearer)))
            }
            (None, Some(bearer)) => Ok(Some(Self::Token(bearer))),
            (None, None) => Ok(None),
        }
    }
}

/// The value of a header that occurs at most once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Ambiguous);
    }
    match value.to_str() {
        Ok(text) if text.len() <= MAX_BYTES => Ok(Some(text.trim())),
        _ => Err(Refusal::Bad("The credential is too long or not ASCII.")),
    }
}

/// The credential after the scheme `Bearer`, regardless of case.
fn of_scheme(authorization: &str) -> Result<&str, Refusal> {
    match authorization.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => Ok(rest.trim()),
        _ => Err(Refusal::Bad("The header Authorization must have the form: Bearer <credential>.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The credential in these headers, or the status of the refusal.
    fn read(given: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        match Credential::of(&headers) {
            Ok(None) => "none".to_owned(),
            Ok(Some(Credential::Key(text))) => format!("key {text}"),
            Ok(Some(Credential::Token(text))) => format!("token {text}"),
            Err(refusal) => refusal.problem().status().as_str().to_owned(),
        }
    }

    #[test]
    fn a_credential_is_in_one_of_two_headers() {
        assert_eq!(read(&[]), "none");
        assert_eq!(read(&[("x-api-key", "shop_1")]), "key shop_1");
        assert_eq!(read(&[("authorization", "Bearer shop_1")]), "key shop_1");
        assert_eq!(read(&[("authorization", "bearer  a.b.c ")]), "token a.b.c");
        let twice = [("authorization", "Bearer shop_1"), ("x-api-key", "shop_1")];
        assert_eq!(read(&twice), "key shop_1");
    }

    #[test]
    fn malformed_and_ambiguous_credentials_are_refused() {
        for none in ["", "Bearer", "Basic dTpw", "shop_1"] {
            assert_eq!(read(&[("authorization", none)]), "401", "{none}");
        }
        for two in [
            [("authorization", "Bearer shop_1"), ("x-api-key", "shop_2")],
            [("x-api-key", "shop_1"), ("x-api-key", "shop_1")],
            [("authorization", "Bearer a"), ("authorization", "Bearer a")],
        ] {
            assert_eq!(read(&two), "400", "{two:?}");
        }
    }
}
