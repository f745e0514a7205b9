//! The response to a failed database call.

use crate::metrics::service::DATABASE_TIMEOUTS;
use crate::postgres::{self, Failure};
use crate::problem::Problem;

/// The response to a failed database call that had no effect: 503 if the database is
/// unavailable or another transaction holds a lock; otherwise 500.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let failure = Failure::of(&error);
        if failure == Failure::Other {
            let key = postgres::sqlstate(&error).unwrap_or_default();
            return Self::fault(&key, &postgres::log_text(&error));
        }
        postgres::report(&error);
        if failure == Failure::PoolExhausted || postgres::is_timeout(&error) {
            DATABASE_TIMEOUTS.increment(1);
        }
        if failure == Failure::Contention {
            return Self::unavailable("Service busy")
                .detail(format!("{} The request had no effect; try again.", failure.message()));
        }
        Self::unavailable("Service unavailable")
            .detail(format!("{} The request had no effect.", failure.message()))
    }
}
