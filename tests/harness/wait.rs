//! Waiting for conditions.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What has not come about by then, on a busy machine, will not.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` is `Ok`.
///
/// Panics with the last `Err`, which says what was seen instead.
pub async fn eventually<T, E: Debug>(mut condition: impl AsyncFnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        match condition().await {
            Ok(value) => return value,
            Err(error) if Instant::now() > end => panic!("not within {DEADLINE:?}: {error:?}"),
            Err(_) => {}
        }
    }
}
