//! Idempotent commands: the header `Idempotency-Key`.
//!
//! The response to an accepted command is stored under its key, in the transaction of the
//! command. A client that does not know the outcome of a command retries it with the same
//! key: either the command takes effect now, or the stored response is returned.
//!
//! - Of two concurrent requests with one key, the second waits for the first, in this
//!   process and for some seconds (`in_flight`). After that, and between processes, the
//!   primary key of the table makes the second transaction fail at commit; it then returns
//!   the stored response of the first.
//! - Only accepted commands are stored. A refused command is decided again when retried.

mod in_flight;
mod key;
mod stored_responses;

pub use in_flight::InFlight;
pub use key::{Key, invalid_key, parameter};
pub use stored_responses::{StoredResponse, delete_old, find, is_duplicate, key_reused};

use crate::metrics::{KEYED_COMMANDS, Keyed};
use crate::response::CommandResult;
use sqlx::PgPool;

/// Runs a command unless a response is stored under its key, and returns the response.
///
/// # Errors
/// Those of the command; 422 if the key was used with another body.
pub async fn once(
    pool: &PgPool,
    in_flight: &InFlight,
    key: &Key,
    command: impl Future<Output = CommandResult>,
) -> CommandResult {
    let _turn = in_flight.enter(key).await;
    if let Some(stored) = find(pool, key).await? {
        let keyed = if stored.is_ok() { Keyed::Replayed } else { Keyed::Mismatched };
        KEYED_COMMANDS.of(keyed).increment(1);
        return stored;
    }
    KEYED_COMMANDS.of(Keyed::New).increment(1);
    match command.await {
        Ok(response) if response.event_id.is_some() => Ok(response),
        // Nothing changed: another process may just have run the same command.
        Ok(response) => find(pool, key).await?.unwrap_or(Ok(response)),
        // The same command in another process may be the reason: it has taken the e-mail
        // address or the last unit, or has committed under this key.
        Err(refused) => match find(pool, key).await {
            Ok(Some(stored)) => stored,
            Ok(None) | Err(_) => Err(refused),
        },
    }
}
