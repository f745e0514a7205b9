//! How many dead letters there are, as a metric.

use crate::metrics::DEAD_LETTERS;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often they are counted.
const INTERVAL: Duration = Duration::from_secs(5);

/// Tells how many there are, until shutdown.
pub async fn count(pool: PgPool, shutdown: CancellationToken) {
    loop {
        let counted = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM dead_letters"#);
        // Without a database there is nothing to tell; health says so.
        if let Ok(Ok(count)) = timeout(INTERVAL, counted.fetch_one(&pool)).await {
            DEAD_LETTERS.set(count as f64);
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}
