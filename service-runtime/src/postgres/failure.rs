//! Classifies database errors for clients, the log and health.

use crate::log_limit::LogLimit;
use crate::metrics::service::DATABASE_TIMEOUTS;
use crate::problem::Problem;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use std::io;
use std::sync::LazyLock;
use std::time::Duration;
use strum::IntoStaticStr;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

/// Limits log lines to one per SQLSTATE, or kind of failure, and interval.
static LOGGED: LogLimit = LogLimit::new();

/// The message of the last persistent failure.
static PERSISTENT: LazyLock<watch::Sender<&'static str>> = LazyLock::new(|| watch::Sender::new(""));

/// Kinds of failures, by their remedy, with the message for clients and operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
pub enum Failure {
    /// The connection failed, or the server is starting or stopping.
    #[strum(to_string = "The database cannot be reached.")]
    Unreachable,
    /// No connection of the pool was free in time: all are in use, or connecting fails.
    #[strum(to_string = "No connection to the database was free within 3 s.")]
    PoolExhausted,
    /// The server has reached its limit of connections.
    #[strum(to_string = "The database has no free connection.")]
    NoConnection,
    /// The role or its password is wrong, or the role may not connect.
    #[strum(to_string = "The database rejects the login of the service.")]
    LoginRejected,
    /// A table, a schema or the database does not exist.
    #[strum(to_string = "The database is not migrated.")]
    NotMigrated,
    /// The role lacks a privilege.
    #[strum(to_string = "The database role lacks a privilege.")]
    NoPrivilege,
    /// The server is a standby, or was made read-only.
    #[strum(to_string = "The database is read-only.")]
    ReadOnly,
    /// The disk is full.
    #[strum(to_string = "The database has no space left.")]
    NoSpace,
    /// The server is out of memory or at a configured limit.
    #[strum(to_string = "The database is out of memory or at a configured limit.")]
    OutOfResources,
    /// The server cannot read or write a file.
    #[strum(to_string = "The database cannot read or write its files.")]
    SystemError,
    /// The statement timed out or was cancelled. It had no effect: PostgreSQL does not cancel a
    /// commit.
    #[strum(to_string = "The database cancelled the statement (statement timeout).")]
    Cancelled,
    /// Lock timeout, deadlock, or serialization failure.
    #[strum(to_string = "Another transaction holds a lock that the request needs.")]
    Contention,
    /// Anything else: refused data, or a bug.
    #[strum(to_string = "The database rejects the statement.")]
    Other,
}

impl Failure {
    /// The kind of an error.
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::PoolExhausted,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            // sqlx reports a protocol error if a peer accepts and closes the connection, as
            // a proxy does whose server is down.
            | sqlx::Error::Protocol(_) => Self::Unreachable,
            sqlx::Error::Database(error) => {
                error.code().map_or(Self::Other, |code| Self::of_sqlstate(&code))
            }
            _ => Self::Other,
        }
    }

    /// See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_sqlstate(code: &str) -> Self {
        match (code, code.get(..2).unwrap_or_default()) {
            ("42501", _) => Self::NoPrivilege,
            // Undefined table, schema, database.
            ("42P01" | "3F000" | "3D000", _) => Self::NotMigrated,
            ("25006", _) => Self::ReadOnly,
            ("53100", _) => Self::NoSpace,
            ("53300", _) => Self::NoConnection,
            // Query canceled; idle in transaction for too long, transaction timeout.
            ("57014" | "25P03" | "25P04", _) => Self::Cancelled,
            // Lock not available, deadlock detected, serialization failure.
            ("55P03" | "40P01" | "40001", _) => Self::Contention,
            (_, "08" | "57") => Self::Unreachable,
            (_, "28") => Self::LoginRejected,
            (_, "53") => Self::OutOfResources,
            (_, "58") => Self::SystemError,
            _ => Self::Other,
        }
    }

    /// The message for clients and operators.
    pub fn message(self) -> &'static str {
        self.into()
    }

    /// Whether the cause is the database and not the request.
    pub const fn is_unavailable(self) -> bool {
        !matches!(self, Self::Contention | Self::Other)
    }

    /// Whether other requests fail as well until the database is repaired, although it is
    /// reachable.
    const fn is_persistent(self) -> bool {
        self.is_unavailable() && !matches!(self, Self::Unreachable | Self::Cancelled)
    }
}

/// [Logs](log) a failure. If other requests will fail as well, a dependency in `/health`
/// goes down until a [probe](super::recovery) succeeds. Returns the kind.
pub fn report(error: &sqlx::Error) -> Failure {
    let failure = log(error);
    if failure.is_persistent() {
        PERSISTENT.send_replace(failure.message());
    }
    failure
}

/// Messages of reported failures that affect other requests as well.
pub(super) fn persistent_failures() -> watch::Receiver<&'static str> {
    PERSISTENT.subscribe()
}

/// Logs a failure that the client did not cause, at most once per SQLSTATE in [10
/// s](crate::log_limit::INTERVAL). Returns the kind.
pub fn log(error: &sqlx::Error) -> Failure {
    let failure = Failure::of(error);
    let sqlstate = sqlstate(error).unwrap_or_default();
    let key = if sqlstate.is_empty() { format!("{failure:?}") } else { sqlstate.clone() };
    if let Some(suppressed) = LOGGED.admit(&key) {
        warn!(sqlstate, suppressed, "{} {}", failure.message(), log_text(error));
    }
    failure
}

/// Whether the cause is a temporary failure of the database, and neither the request nor
/// a bug.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    Failure::of(error).is_unavailable()
}

/// Whether an error is a lock timeout, a deadlock or a serialization failure.
pub fn is_contention(error: &sqlx::Error) -> bool {
    Failure::of(error) == Failure::Contention
}

/// Whether a transaction may have been committed although its COMMIT, or its single
/// statement, failed with this error.
///
/// After an error response of severity ERROR the transaction was rolled back: an error
/// before the commit record is written aborts it, including deferred constraints and a
/// full disk, and later errors are a PANIC. FATAL and PANIC end the session; a server
/// that is stopped (57P01) may end it between the commit record and its response. Without
/// a response the outcome is unknown.
///
/// - <https://www.postgresql.org/docs/current/protocol-error-fields.html>
/// - <https://www.postgresql.org/docs/current/runtime-config-logging.html#RUNTIME-CONFIG-SEVERITY-LEVELS>
pub fn may_have_committed(error: &sqlx::Error) -> bool {
    let response = error
        .as_database_error()
        .and_then(|response| response.try_downcast_ref::<PgDatabaseError>());
    match response {
        // 40003 statement completion unknown; 08 comes from a proxy whose server is gone.
        Some(response) => {
            response.severity() != PgSeverity::Error
                || matches!(response.code(), "40003" | "57P01" | "57P02" | "57P03")
                || response.code().starts_with("08")
        }
        // A parameter that could not be encoded was not sent.
        None => !matches!(error, sqlx::Error::Encode(_)),
    }
}

/// The error for a database that does not respond within `deadline`.
pub fn timeout_error(deadline: Duration) -> sqlx::Error {
    let message = format!("no response within {} s", deadline.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}

/// The result of work with a database, or [`timeout_error`] after the deadline.
pub async fn in_time<T>(
    deadline: Duration,
    work: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    timeout(deadline, work).await.unwrap_or_else(|_| Err(timeout_error(deadline)))
}

/// Whether an error comes from [`timeout_error`].
pub fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}

/// The text of an error for the log. Messages about rejected data may quote personal data,
/// so only code and constraint are kept.
pub fn log_text(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        // 22 data exception, 23 integrity constraint violation.
        Some(error)
            if error.code().is_some_and(|code| matches!(code.get(..2), Some("22" | "23"))) =>
        {
            let code = error.code().unwrap_or_default();
            let constraint = error.constraint().map(|name| format!(", constraint {name}"));
            format!("the database rejects data: {code}{}", constraint.unwrap_or_default())
        }
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

/// The SQLSTATE of an error that the database reported.
pub fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// The response to a failed database call that had no effect: 503 if the database is
/// unavailable or another transaction holds a lock; otherwise 500.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let failure = Failure::of(&error);
        if failure == Failure::Other {
            let key = sqlstate(&error).unwrap_or_default();
            return Self::fault(&key, &log_text(&error));
        }
        report(&error);
        if failure == Failure::PoolExhausted || is_timeout(&error) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sqlstate_maps_to_its_kind() {
        for (code, failure) in [
            ("08006", Failure::Unreachable),
            ("57P01", Failure::Unreachable),
            ("57P03", Failure::Unreachable),
            ("28P01", Failure::LoginRejected),
            ("42P01", Failure::NotMigrated),
            ("42501", Failure::NoPrivilege),
            ("25006", Failure::ReadOnly),
            ("53100", Failure::NoSpace),
            ("53200", Failure::OutOfResources),
            ("53300", Failure::NoConnection),
            ("58030", Failure::SystemError),
            ("57014", Failure::Cancelled),
            ("40001", Failure::Contention),
            ("55P03", Failure::Contention),
            ("23505", Failure::Other),
            ("42703", Failure::Other),
        ] {
            assert_eq!(Failure::of_sqlstate(code), failure, "{code}");
        }
        assert_eq!(Failure::of(&sqlx::Error::PoolTimedOut), Failure::PoolExhausted);
        assert_eq!(Failure::of(&timeout_error(Duration::from_secs(5))), Failure::Unreachable);
    }

    #[test]
    fn without_a_response_the_outcome_is_unknown() {
        assert!(may_have_committed(&timeout_error(Duration::from_secs(5))));
        assert!(may_have_committed(&sqlx::Error::WorkerCrashed));
        assert!(!may_have_committed(&sqlx::Error::Encode("no".into())));
    }
}
