//! `/metrics`, in the format of Prometheus.

use axum::{Router, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bounds of the buckets of every metric whose name ends in `_seconds`.
const SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Bounds of the buckets of every metric whose name ends in `_size`.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Installs the recorder and returns the route that shows it.
///
/// # Errors
/// If a recorder is installed already.
pub fn install(shutdown: CancellationToken) -> anyhow::Result<Router> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?
        .install_recorder()?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let pause = || tokio::time::sleep(Duration::from_secs(5));
        while shutdown.run_until_cancelled(pause()).await.is_some() {
            upkeep.run_upkeep();
        }
    });
    Ok(Router::new().route("/metrics", get(move || async move { handle.render() })))
}
