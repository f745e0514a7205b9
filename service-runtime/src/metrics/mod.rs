//! `GET /metrics`, in the text format of Prometheus.
//!
//! Names start with `shop_`, except those of the process, which are standard. They end in
//! the unit; counters end in `_total`.

mod metric;
pub(crate) mod pools;
pub(crate) mod service;

pub use metric::{Counter, Gauge, Histogram, Metric, Registered};

use crate::tasks;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::future::ready;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bucket bounds of metrics whose names end in `_seconds`. They include the response times
/// promised to clients: 10, 100 and 200 ms.
const SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0];

/// Bucket bounds of metrics whose names end in `_size`.
const SIZES: [f64; 12] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0];

/// The media type of the text format, with its version.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The registered metrics of this process.
#[derive(Clone)]
pub struct Metrics {
    prometheus: PrometheusHandle,
    process: metrics_process::Collector,
}

impl Metrics {
    /// The current values, in the Prometheus text format.
    pub(crate) fn render(&self) -> String {
        self.process.collect();
        pools::update();
        self.prometheus.render()
    }
}

/// Registers the metrics of a service and those that every service has. Call it before
/// anything is measured.
///
/// # Errors
/// If it was called before.
pub fn install(
    service: &'static str,
    metrics: &[&dyn Registered],
    shutdown: CancellationToken,
) -> anyhow::Result<Metrics> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?
        .install_recorder()?;
    for metric in service::ALL.iter().chain(metrics) {
        metric.register();
    }
    let version = env!("CARGO_PKG_VERSION");
    service::BUILD_INFO.with([("service", service.into()), ("version", version.into())]).set(1.0);
    let process = metrics_process::Collector::default();
    process.describe();
    let upkeep = handle.clone();
    tokio::spawn(tasks::repeat(Duration::from_secs(5), shutdown, move || {
        upkeep.run_upkeep();
        ready(())
    }));
    Ok(Metrics { prometheus: handle, process })
}
