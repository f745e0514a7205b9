//! The credential that a request brings.

use super::refusal::Refusal;
use axum::http::{HeaderMap, HeaderName, header};
use std::fmt;

/// Brings an API key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Longest credential. A token with a few claims has some hundred bytes.
const MAX_BYTES: usize = 8 << 10;

/// A credential as it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// An API key by its beginning.
    Key(&'a str),
    /// Anything else: a token, if it is something at all.
    Token(&'a str),
}

impl fmt::Debug for Presented<'_> {
    /// Leaves the credential out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "an API key",
            Self::Token(_) => "a token",
        })
    }
}

impl<'a> Presented<'a> {
    /// The credential of a request; none if it brings none.
    ///
    /// # Errors
    /// 401 if it is none by its form; 400 if there are two that differ.
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

/// The value of a header that is there once at most.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Ambiguous);
    }
    match value.to_str() {
        Ok(text) if text.len() <= MAX_BYTES => Ok(Some(text.trim())),
        _ => Err(Refusal::Bad("It is too long, or no text.")),
    }
}

/// What follows the word `Bearer`, in whatever case.
fn of_scheme(authorization: &str) -> Result<&str, Refusal> {
    match authorization.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => Ok(rest.trim()),
        _ => Err(Refusal::Bad("The header Authorization must be Bearer and a credential.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&'static str, &'static str)]) -> Result<Option<&'static str>, u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        let presented = Presented::of(&headers).map(|presented| {
            presented.map(|presented| match presented {
                Presented::Key(text) => format!("key {text}"),
                Presented::Token(text) => format!("token {text}"),
            })
        });
        presented.map(|text| text.map(|text| &*text.leak())).map_err(|refusal| refusal.status())
    }

    #[test]
    fn a_credential_comes_in_one_of_two_headers() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("x-api-key", "shop_1")]), Ok(Some("key shop_1")));
        assert_eq!(read(&[("authorization", "Bearer shop_1")]), Ok(Some("key shop_1")));
        assert_eq!(read(&[("authorization", "bearer  a.b.c ")]), Ok(Some("token a.b.c")));
        assert_eq!(
            read(&[("authorization", "Bearer shop_1"), ("x-api-key", "shop_1")]),
            Ok(Some("key shop_1"))
        );
    }

    #[test]
    fn what_is_none_is_refused_and_of_two_nobody_chooses() {
        for none in ["", "Bearer", "Basic dTpw", "shop_1"] {
            assert_eq!(read(&[("authorization", none)]), Err(401), "{none}");
        }
        for two in [
            [("authorization", "Bearer shop_1"), ("x-api-key", "shop_2")],
            [("x-api-key", "shop_1"), ("x-api-key", "shop_1")],
            [("authorization", "Bearer a"), ("authorization", "Bearer a")],
        ] {
            assert_eq!(read(&two), Err(400), "{two:?}");
        }
    }
}
