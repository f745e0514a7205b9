//! Commands that may be sent twice: the header `Idempotency-Key`.
//!
//! The answer to an accepted command is kept under its key, in the transaction of
//! the command itself. So whoever does not know whether a command took effect sends
//! it again with the same key: it either takes effect now, or is answered as the
//! first time.
//!
//! - Of two requests with one key, the second waits for the first, in this process
//!   and for some seconds (`in_flight`). After that, and in another process, it is
//!   refused by the table's primary key when it commits, and so has no effect; then it
//!   finds the answer of the first.
//! - Only accepted commands are kept. One that was refused is decided upon anew when
//!   it comes again.

mod in_flight;
mod kept_answers;
mod key;

pub use in_flight::InFlight;
pub use kept_answers::{KeptAnswer, find, forget_old, is_clash};
pub use key::{Key, parameter};

use crate::answer::Answer;
use crate::metrics::{KEYED_COMMANDS, Keyed};
use service_runtime::problem::Problem;
use sqlx::PgPool;

/// Runs a command unless its key has an answer already, and gives the answer.
///
/// # Errors
/// Those of the command; 422 if the key was used with another body.
pub async fn once(
    pool: &PgPool,
    in_flight: &InFlight,
    key: &Key,
    command: impl Future<Output = Result<Answer, Problem>>,
) -> Result<Answer, Problem> {
    let _turn = in_flight.enter(key).await;
    if let Some(kept) = find(pool, key).await? {
        let keyed = if kept.is_ok() { Keyed::Replayed } else { Keyed::Mismatched };
        KEYED_COMMANDS.add_to(keyed, 1);
        return kept;
    }
    KEYED_COMMANDS.add_to(Keyed::New, 1);
    match command.await {
        Ok(answer) if answer.event_id.is_some() => Ok(answer),
        // Nothing was changed: perhaps as the same command, run by another process, had
        // just done it.
        Ok(answer) => find(pool, key).await?.unwrap_or(Ok(answer)),
        // The same command, run by another process, may be the reason: it took the
        // e-mail address, or the last piece, or committed under this key.
        Err(refused) => match find(pool, key).await {
            Ok(Some(kept)) => kept,
            Ok(None) | Err(_) => Err(refused),
        },
    }
}
