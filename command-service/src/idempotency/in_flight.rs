//! Requests with the same key run one at a time.

use super::Key;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a request waits for another one with the same key. If the connection of the
/// other one is lost, it may not end in time; then the table decides, as between
/// processes.
const WAIT_TIMEOUT: Duration = Duration::from_secs(3);

/// The keys of the requests in progress in this process.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<State>);

#[derive(Debug, Default)]
struct State {
    keys: Mutex<HashSet<Name>>,
    released: Notify,
}

/// A key without the body: requests with the same key and different bodies also wait.
type Name = (String, Option<Arc<str>>, String);

/// The exclusive use of a key, until dropped.
#[derive(Debug)]
pub struct Turn {
    state: Arc<State>,
    name: Name,
}

impl InFlight {
    /// Waits until no other request with this key is in progress; none after a timeout.
    pub async fn enter(&self, key: &Key) -> Option<Turn> {
        timeout(WAIT_TIMEOUT, self.turn(key)).await.ok()
    }

    async fn turn(&self, key: &Key) -> Turn {
        let name = (key.scope.clone(), key.caller.clone(), key.key.clone());
        loop {
            let mut released = pin!(self.0.released.notified());
            // Subscribe before checking, so that no release is missed.
            released.as_mut().enable();
            if self.0.keys.lock().insert(name.clone()) {
                return Turn { state: self.0.clone(), name };
            }
            released.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.state.keys.lock().remove(&self.name);
        self.state.released.notify_waiters();
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
    async fn requests_with_the_same_key_and_any_bodies_run_one_at_a_time() {
        let in_flight = InFlight::default();
        let (one, other) = (key("a", 1), key("a", 2));
        let first = in_flight.enter(&one).await;
        let mut second = pin!(in_flight.enter(&other));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(in_flight.enter(&key("b", 1)).now_or_never().is_some());
        drop(first);
        drop(second.await);
        assert!(in_flight.0.keys.lock().is_empty());
    }
}
