//! Waits for conditions.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Default deadline. It is long enough for a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` returns `Ok`. Panics with the last `Err` at the deadline.
pub async fn eventually<T, E: Debug>(condition: impl AsyncFnMut() -> Result<T, E>) -> T {
    within(DEADLINE, condition).await
}

/// The same with another deadline.
pub async fn within<T, E: Debug>(
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let end = Instant::now() + deadline;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        match condition().await {
            Ok(value) => return value,
            Err(error) if Instant::now() > end => panic!("not within {deadline:?}: {error:?}"),
            Err(_) => {}
        }
    }
}
