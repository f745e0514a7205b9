//! Counts dead letters for the metric.

use crate::metrics::DEAD_LETTERS;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Interval between counts.
const INTERVAL: Duration = Duration::from_secs(5);

/// Updates the metric until shutdown.
pub async fn count(pool: PgPool, shutdown: CancellationToken) {
    loop {
        let counted = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM dead_letters"#);
        // A missing database is reported by health.
        if let Ok(Ok(count)) = timeout(INTERVAL, counted.fetch_one(&pool)).await {
            DEAD_LETTERS.set(count as f64);
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}
