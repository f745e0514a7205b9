//! Projections: how events change views.
//!
//! Every projection commutes. It adds deltas, or keeps a value guarded by the aggregate's
//! version or by GREATEST, and every event carries what its projections need. So any order
//! of events, and any repetition of a batch, gives the same views.

mod newest;
mod order_change;
mod orders;
mod products;
mod refunds;
mod sales;
mod sales_delta;
mod sales_statement;
#[cfg(test)]
pub mod sample_events;
mod users;

use shared_events::views::{SALES_VIEWS, views};
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Adds new events to every view. Each event must be passed once only.
///
/// Every transaction writes the tables in this order and the rows of a table by ascending
/// key, so that consumers cannot deadlock.
pub async fn apply(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    products::apply(connection, events).await?;
    orders::apply(connection, events).await?;
    refunds::apply(connection, events).await?;
    users::apply(connection, events).await?;
    let sales = order_change::sales_of(events);
    for view in &SALES_VIEWS {
        sales::apply(connection, view, events, &sales).await?;
    }
    Ok(())
}

/// The topics whose events change a view.
pub fn topics() -> BTreeSet<Topic> {
    views().flat_map(|view| view.topics).copied().collect()
}
