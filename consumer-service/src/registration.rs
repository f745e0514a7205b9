//! Telling the read database which projections this service keeps, for whoever
//! wants to see the flow of events.

use crate::projections::PROJECTIONS;
use service_runtime::health::Reporter;
use service_runtime::retry::Pauses;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// Registers every projection, as soon as the database lets it. False if the
/// shutdown came first.
pub async fn register(pool: &PgPool, reporter: &Reporter, shutdown: &CancellationToken) -> bool {
    let mut pauses = Pauses::default();
    while let Err(error) = write(pool).await {
        reporter.down(format!("cannot register the projections: {error}"));
        if !pauses.pause(shutdown).await {
            return false;
        }
    }
    true
}

/// Writes the list as it is in this version of the service, in place of
/// whatever another one left.
pub async fn write(pool: &PgPool) -> sqlx::Result<()> {
    let (mut places, mut views, mut topics) = (Vec::new(), Vec::new(), Vec::new());
    let shown =
        PROJECTIONS.iter().flat_map(|kept| kept.views.iter().map(|view| (view, kept.topics)));
    for (place, (view, of)) in (0..).zip(shown) {
        for topic in of {
            places.push(place);
            views.push((*view).to_owned());
            topics.push(topic.name().to_owned());
        }
    }
    sqlx::query_file!("src/registration.sql", &places, &views, &topics).execute(pool).await?;
    Ok(())
}
