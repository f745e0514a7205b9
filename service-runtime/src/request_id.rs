//! The id of the current request, for log lines.

use axum::http::HeaderValue;
use std::future::Future;

tokio::task_local! {
    static CURRENT: Option<HeaderValue>;
}

/// The id of the request; none outside of requests. Plain ASCII.
pub fn current() -> Option<HeaderValue> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Runs work with this id, if any, as that of the current request.
pub fn scope<F: Future>(
    id: Option<HeaderValue>,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    CURRENT.scope(id, work)
}
