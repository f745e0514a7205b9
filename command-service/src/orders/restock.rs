//! Units that return to stock, by cancellations and refunds.

use service_runtime::problem::Problem;
use shared_events::OrderLine;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Limits concurrent transactions that return units. They lock products as the order batcher does;
/// more of them in a row would exceed the lock timeout of a batch.
static RETURNS: Semaphore = Semaphore::const_new(2);

/// Time that a transaction waits for others.
const WAIT: Duration = Duration::from_secs(3);

/// Returns units of a line to the stock of its product, and says how many: none if the line took
/// nothing, or the stock is not tracked.
pub fn return_units(stocks: &mut BTreeMap<i64, i32>, line: &OrderLine, units: i32) -> i32 {
    let Some(stock) = stocks.get_mut(&line.product_id).filter(|_| line.stock_taken() > 0) else {
        return 0;
    };
    // The stock may have been set to a higher number since. It must not overflow.
    let returned = units.min(i32::MAX - *stock);
    *stock += returned;
    returned
}

/// Waits for a permit to return units, before a connection is taken.
///
/// # Errors
/// 503 if too many others wait.
pub async fn permit() -> Result<SemaphorePermit<'static>, Problem> {
    match timeout(WAIT, RETURNS.acquire()).await {
        Ok(permit) => permit.map_err(|error| Problem::internal(&error)),
        Err(_) => Err(Problem::unavailable("Service busy").detail(
            "Too many orders are being cancelled or refunded. The request had no effect; try again.",
        )),
    }
}

/// Locks the products of lines that took units from the stock, and returns the stock of those that
/// are tracked.
pub async fn lock_stocks(
    connection: &mut PgConnection,
    lines: impl Iterator<Item = &OrderLine>,
) -> sqlx::Result<BTreeMap<i64, i32>> {
    let taken = lines.filter(|line| line.stock_taken() > 0);
    let product_ids: Vec<i64> =
        taken.map(|line| line.product_id).collect::<BTreeSet<i64>>().into_iter().collect();
    let rows = sqlx::query!(
        r#"SELECT id, stock AS "stock!"
           FROM products
           WHERE id = ANY($1) AND stock IS NOT NULL
           ORDER BY id
           FOR NO KEY UPDATE"#,
        &product_ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.stock)).collect())
}
