//! Registers the views and their topics in the read database, from which
//! `GET /api/analytics/topology` draws the flow of events.

use anyhow::anyhow;
use service_runtime::health::DependencyStatus;
use service_runtime::retry::Backoff;
use shared_events::views::views;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// Registers every view and retries until it succeeds. False after a shutdown.
pub async fn register(
    pool: &PgPool,
    status: &DependencyStatus,
    shutdown: &CancellationToken,
) -> bool {
    let failed = |error| anyhow!("cannot register the views: {error}");
    let register = || async { write(pool).await.map_err(failed) };
    Backoff::default().until_success(status, shutdown, register).await.is_some()
}

/// Replaces the registered views by those of this version of the service.
pub async fn write(pool: &PgPool) -> sqlx::Result<()> {
    let (mut places, mut names, mut topics) = (Vec::new(), Vec::new(), Vec::new());
    for (place, view) in (0..).zip(views()) {
        for topic in view.topics {
            places.push(place);
            names.push(view.name.to_owned());
            topics.push(topic.name().to_owned());
        }
    }
    sqlx::query_file!("src/view_registration.sql", &places, &names, &topics).execute(pool).await?;
    Ok(())
}
