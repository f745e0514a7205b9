//! Look-ups by key. Concurrent look-ups share a statement.
//!
//! While one statement runs, arriving requests form the next batch. A batch is never delayed
//! to fill up, and nothing is cached: every row is read after its request arrived. If a
//! statement fails or gets no response, its requests fail, and the next statement uses
//! another connection.

use service_runtime::problem::Problem;
use sqlx::PgPool;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Maximum number of keys per statement.
const MAX_BATCH: usize = 256;

/// Capacity of the queue of requests.
const QUEUE: usize = 1024;

/// Deadline of a statement. If a host disappears, the kernel reports it only after 15
/// minutes, and all requests would wait for that statement.
const DEADLINE: Duration = Duration::from_secs(5);

/// Looks up rows of a view by key.
#[derive(Clone, Debug)]
pub struct Lookup<K, V> {
    requests: mpsc::Sender<Request<K, V>>,
}

#[derive(Debug)]
struct Request<K, V> {
    key: K,
    response: oneshot::Sender<Result<Option<V>, Problem>>,
}

impl<K, V> Lookup<K, V>
where
    K: Clone + Hash + Ord + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    /// Looks up rows with `find`, which receives distinct keys and returns the existing rows
    /// with their keys. Runs until the last clone is dropped.
    pub fn new<F, R>(pool: &PgPool, find: F) -> Self
    where
        F: Fn(PgPool, Vec<K>) -> R + Send + Sync + 'static,
        R: Future<Output = sqlx::Result<Vec<(K, V)>>> + Send + 'static,
    {
        let (requests, mut queue) = mpsc::channel(QUEUE);
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut batch: Vec<Request<K, V>> = Vec::with_capacity(MAX_BATCH);
            while queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
                let mut keys: Vec<K> = batch.iter().map(|request| request.key.clone()).collect();
                keys.sort_unstable();
                keys.dedup();
                let found = in_time(find(pool.clone(), keys)).await;
                let found = found.map(HashMap::<K, V>::from_iter);
                for Request { key, response } in batch.drain(..) {
                    let rows = found.as_ref().map_err(Problem::clone);
                    // The client may have disconnected.
                    let _ = response.send(rows.map(|rows| rows.get(&key).cloned()));
                }
            }
        });
        Self { requests }
    }

    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// 503 if the database is unavailable.
    pub async fn get(&self, key: K) -> Result<Option<V>, Problem> {
        let (response, found) = oneshot::channel();
        let request = Request { key, response };
        self.requests.send(request).await.map_err(|_| Problem::stopping())?;
        found.await.map_err(|_| Problem::stopping())?
    }
}

/// The result of a statement within the deadline. A task of its own, so that a panic does
/// not end the look-up.
async fn in_time<T: Send + 'static>(
    finding: impl Future<Output = sqlx::Result<T>> + Send + 'static,
) -> Result<T, Problem> {
    match timeout(DEADLINE, AbortOnDropHandle::new(tokio::spawn(finding))).await {
        Ok(Ok(found)) => found.map_err(Problem::from),
        Ok(Err(panic)) => Err(Problem::internal(&panic)),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn requests_during_a_statement_share_the_next_one() {
        let pool = PgPool::connect_lazy("postgres://nowhere").unwrap();
        let (statements, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let lookup = Lookup::new(&pool, {
            let (statements, gate) = (statements.clone(), gate.clone());
            move |_, keys: Vec<i64>| {
                let (statements, gate) = (statements.clone(), gate.clone());
                async move {
                    statements.fetch_add(1, Ordering::Relaxed);
                    gate.acquire().await.unwrap().forget();
                    Ok(keys.into_iter().filter(|key| key % 2 == 1).map(|key| (key, key)).collect())
                }
            }
        });
        let look_up = |key| {
            let lookup = lookup.clone();
            tokio::spawn(async move { lookup.get(key).await.unwrap() })
        };
        let first = look_up(1);
        while statements.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = [1, 2, 3, 3].into_iter().map(look_up).collect();
        while lookup.requests.capacity() > QUEUE - 4 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Some(1));
        let mut rows = Vec::new();
        for other in others {
            rows.push(other.await.unwrap());
        }
        assert_eq!(rows, [Some(1), None, Some(3), Some(3)]);
        assert_eq!(statements.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn look_ups_continue_after_a_panic() {
        let pool = PgPool::connect_lazy("postgres://nowhere").unwrap();
        let lookup = Lookup::new(&pool, |_, keys: Vec<i64>| async move {
            match keys[0] {
                1 => panic!("a panic in a statement"),
                key => Ok(vec![(key, key)]),
            }
        });
        assert!(lookup.get(1).await.is_err());
        assert_eq!(lookup.get(2).await.unwrap(), Some(2));
    }
}
