//! Waiting for conditions.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What has not come about by then, on a busy machine, will not.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` is `Ok`.
///
/// Panics with the last `Err`, which says what was seen instead.
pub async fn eventually<T, E: Debug>(condition: impl AsyncFnMut() -> Result<T, E>) -> T {
    within(DEADLINE, condition).await
}

/// The same with a deadline of its own.
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
