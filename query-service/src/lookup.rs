//! Look-ups by key: concurrent ones share a round trip.
//!
//! While one statement runs, the requests that arrive gather; they are the next
//! one. Nobody waits for company, and nothing is kept: every answer is read after
//! its request came. A statement that gets no answer, or fails in whatever way, is
//! told to those who asked, and the next one goes by another connection.

use service_runtime::problem::Problem;
use sqlx::PgPool;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Most keys of one statement.
const MAX_BATCH: usize = 256;

/// Requests that may wait before more wait for a place.
const QUEUE: usize = 1024;

/// A database that has not answered by then is taken for lost. Of a host that
/// vanished, the kernel would tell us only after a quarter of an hour, and all who
/// ask would wait for that one statement.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where rows of one view are asked for by key.
#[derive(Debug)]
pub struct Lookup<K, V> {
    questions: mpsc::Sender<Question<K, V>>,
}

#[derive(Debug)]
struct Question<K, V> {
    key: K,
    answer: oneshot::Sender<Result<Option<V>, Problem>>,
}

impl<K, V> Clone for Lookup<K, V> {
    fn clone(&self) -> Self {
        Self { questions: self.questions.clone() }
    }
}

impl<K, V> Lookup<K, V>
where
    K: Clone + Hash + Ord + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    /// A look-up by `find`, which is given keys, each once, and gives the rows that
    /// there are. It is at work until the last clone is dropped.
    pub fn new<F, R>(pool: &PgPool, find: F) -> Self
    where
        F: Fn(PgPool, Vec<K>) -> R + Send + Sync + 'static,
        R: Future<Output = sqlx::Result<HashMap<K, V>>> + Send + 'static,
    {
        let (questions, mut arrivals) = mpsc::channel(QUEUE);
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(MAX_BATCH);
            while arrivals.recv_many(&mut batch, MAX_BATCH).await > 0 {
                let found = in_time(find(pool.clone(), keys(&batch))).await;
                answer(batch.drain(..), &found);
            }
        });
        Self { questions }
    }

    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// 503 if the database is away.
    pub async fn get(&self, key: K) -> Result<Option<V>, Problem> {
        let (answer, found) = oneshot::channel();
        let gone =
            || Problem::unavailable("Service unavailable").detail("The service is stopping.");
        self.questions.send(Question { key, answer }).await.map_err(|_| gone())?;
        found.await.map_err(|_| gone())?
    }
}

/// What a statement finds, in time; in a task of its own, so that no panic ends the
/// look-up.
async fn in_time<T: Send + 'static>(
    finding: impl Future<Output = sqlx::Result<T>> + Send + 'static,
) -> Result<T, Problem> {
    match timeout(DEADLINE, AbortOnDropHandle::new(tokio::spawn(finding))).await {
        Ok(Ok(found)) => found.map_err(Problem::from),
        Ok(Err(panic)) => Err(Problem::internal(&panic)),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}

fn keys<K: Clone + Ord, V>(batch: &[Question<K, V>]) -> Vec<K> {
    let mut keys: Vec<K> = batch.iter().map(|question| question.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn answer<K: Eq + Hash, V: Clone>(
    batch: impl Iterator<Item = Question<K, V>>,
    found: &Result<HashMap<K, V>, Problem>,
) {
    for Question { key, answer } in batch {
        let row = match found {
            Ok(rows) => Ok(rows.get(&key).cloned()),
            Err(problem) => Err(problem.clone()),
        };
        // Whoever left does not want it any more.
        let _ = answer.send(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn requests_that_come_during_a_statement_share_the_next_one() {
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
        let ask = |key| {
            let lookup = lookup.clone();
            tokio::spawn(async move { lookup.get(key).await.unwrap() })
        };
        let first = ask(1);
        while statements.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = [1, 2, 3, 3].into_iter().map(ask).collect();
        while lookup.questions.capacity() > QUEUE - 4 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Some(1));
        let mut answers = Vec::new();
        for other in others {
            answers.push(other.await.unwrap());
        }
        assert_eq!(answers, [Some(1), None, Some(3), Some(3)]);
        assert_eq!(statements.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn whoever_asks_after_a_panic_is_answered() {
        let pool = PgPool::connect_lazy("postgres://nowhere").unwrap();
        let lookup = Lookup::new(&pool, |_, keys: Vec<i64>| async move {
            match keys[0] {
                1 => panic!("as bad as can be"),
                key => Ok(HashMap::from([(key, key)])),
            }
        });
        assert!(lookup.get(1).await.is_err());
        assert_eq!(lookup.get(2).await.unwrap(), Some(2));
    }
}
