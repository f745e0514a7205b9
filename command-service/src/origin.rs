//! The origin of a command.

use crate::idempotency::Key;
use axum::http::HeaderValue;
use trace_context::TraceParent;

/// What accompanies a command besides its data.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The trace that the command belongs to. Its events are part of the same trace.
    pub trace: TraceParent,
    /// The id of the request, for the log.
    pub request_id: Option<HeaderValue>,
    /// The idempotency key.
    pub key: Option<Key>,
}
