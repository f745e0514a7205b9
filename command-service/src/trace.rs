//! The trace that a request belongs to.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use shared_events::TraceParent;
use std::convert::Infallible;

/// The `traceparent` of the request, or the start of a new trace.
#[derive(Debug)]
pub struct Trace(pub TraceParent);

impl<S: Sync> FromRequestParts<S> for Trace {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let given = parts.headers.get("traceparent").and_then(|value| value.to_str().ok());
        Ok(Self(given.and_then(TraceParent::parse).unwrap_or_else(TraceParent::generate)))
    }
}
