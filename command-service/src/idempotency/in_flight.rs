//! Requests of one key, one at a time.

use super::Key;
use std::collections::HashSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a request waits for its turn. One that takes longer may never end, if the
/// database was lost on the way without a word; the table decides then, as it does
/// between processes. It is shorter than clients wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The keys of the requests that this process is at work on.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<State>);

#[derive(Debug, Default)]
struct State {
    keys: Mutex<HashSet<Name>>,
    one_left: Notify,
}

/// A key without the body: requests with one key and two bodies wait as well.
type Name = (String, Option<Arc<str>>, String);

/// The turn of a request, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    state: Arc<State>,
    name: Name,
}

impl InFlight {
    /// Waits until no other request with that key is under way; none if that takes
    /// too long.
    pub async fn enter(&self, key: &Key) -> Option<Turn> {
        timeout(PATIENCE, self.turn(key)).await.ok()
    }

    async fn turn(&self, key: &Key) -> Turn {
        let name = (key.scope.clone(), key.caller.clone(), key.key.clone());
        loop {
            let mut one_left = pin!(self.0.one_left.notified());
            // Listening before looking: none that leaves in between is missed.
            one_left.as_mut().enable();
            if self.0.lock().insert(name.clone()) {
                return Turn { state: self.0.clone(), name };
            }
            one_left.await;
        }
    }
}

impl State {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Name>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.state.lock().remove(&self.name);
        self.state.one_left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn key(key: &str, body: u8) -> Key {
        let scope = "POST /api/orders".to_owned();
        Key { scope, caller: None, key: key.to_owned(), body_sha256: [body; 32] }
    }

    #[tokio::test]
    async fn requests_of_one_key_take_turns_whatever_their_bodies() {
        let in_flight = InFlight::default();
        let (one, other) = (key("a", 1), key("a", 2));
        let first = in_flight.enter(&one).await;
        let mut second = pin!(in_flight.enter(&other));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(in_flight.enter(&key("b", 1)).now_or_never().is_some());
        drop(first);
        drop(second.await);
        assert!(in_flight.0.lock().is_empty());
    }
}
