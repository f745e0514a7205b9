//! Metrics as statics.

use metrics::SharedString;
pub use metrics::{Counter, Gauge, Histogram};
use std::marker::PhantomData;
use std::sync::OnceLock;
use strum::VariantArray;

/// A metric: its name, its help text and its series.
///
/// Metrics are statics. A service lists its metrics and registers the list at its start, so
/// every series exists from then on, with the value 0. (A rate ignores the first value of a
/// series.) Values of a metric that is not registered are discarded.
#[derive(Debug)]
pub struct Metric<S, L = NoLabel> {
    name: &'static str,
    help: &'static str,
    labels: Labels,
    /// One per value of the label, or a single one.
    series: OnceLock<Box<[S]>>,
    label: PhantomData<fn() -> L>,
}

/// The labels that distinguish the series of a metric.
#[derive(Clone, Copy, Debug)]
enum Labels {
    /// None: a single series.
    None,
    /// One label of this name with a fixed set of values.
    Fixed(&'static str),
    /// Labels whose values are known at run time.
    Open,
}

/// The values of a fixed label: an enum whose variants convert to them.
pub trait Label: Copy + PartialEq + VariantArray + Into<&'static str> {}

impl<L: Copy + PartialEq + VariantArray + Into<&'static str>> Label for L {}

/// The label of metrics without a fixed label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLabel {}

impl VariantArray for NoLabel {
    const VARIANTS: &'static [Self] = &[];
}

impl From<NoLabel> for &'static str {
    fn from(label: NoLabel) -> Self {
        match label {}
    }
}

/// A metric that can be registered.
pub trait Registered: Sync {
    /// Describes the metric and creates its series.
    fn register(&self);
}

/// A type of series: counter, gauge or histogram.
pub trait Series: Send + Sync + Sized {
    /// Describes a metric of this type.
    fn describe(name: &'static str, help: &'static str);

    /// Creates the series with these labels, or returns the existing one.
    fn create(name: &'static str, labels: Vec<metrics::Label>) -> Self;
}

impl<S: Series> Metric<S> {
    /// A metric with a single series.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::with_labels(name, help, Labels::None)
    }

    /// A metric whose series are created by [`with`](Metric::with).
    pub const fn open(name: &'static str, help: &'static str) -> Self {
        Self::with_labels(name, help, Labels::Open)
    }

    /// The series of an open metric with these labels. Keep it for repeated use, because a
    /// lookup allocates.
    pub fn with<const N: usize>(&self, labels: [(&'static str, SharedString); N]) -> S {
        let label = |(name, value)| metrics::Label::new(name, value);
        S::create(self.name, labels.into_iter().map(label).collect())
    }

    fn only(&self) -> Option<&S> {
        self.series.get()?.first()
    }
}

impl<S: Series, L: Label> Metric<S, L> {
    /// A metric with one series per value of a label.
    pub const fn by(name: &'static str, help: &'static str, label: &'static str) -> Self {
        Self::with_labels(name, help, Labels::Fixed(label))
    }

    const fn with_labels(name: &'static str, help: &'static str, labels: Labels) -> Self {
        Self { name, help, labels, series: OnceLock::new(), label: PhantomData }
    }

    fn of(&self, value: L) -> Option<&S> {
        let index = L::VARIANTS.iter().position(|variant| *variant == value)?;
        self.series.get()?.get(index)
    }
}

impl<S: Series, L: Label> Registered for Metric<S, L> {
    fn register(&self) {
        S::describe(self.name, self.help);
        self.series.get_or_init(|| match self.labels {
            Labels::None => [S::create(self.name, Vec::new())].into(),
            Labels::Open => [].into(),
            Labels::Fixed(label) => {
                let create = |value: &L| {
                    let label = metrics::Label::from_static_parts(label, (*value).into());
                    S::create(self.name, vec![label])
                };
                L::VARIANTS.iter().map(create).collect()
            }
        });
    }
}

impl Metric<Counter> {
    /// Increases the counter.
    pub fn add(&self, count: usize) {
        if let Some(series) = self.only() {
            series.increment(count as u64);
        }
    }
}

impl<L: Label> Metric<Counter, L> {
    /// Increases the counter of a label value.
    pub fn add_to(&self, value: L, count: usize) {
        if let Some(series) = self.of(value) {
            series.increment(count as u64);
        }
    }
}

impl Metric<Gauge> {
    /// Sets the value; NaN if it is unknown.
    pub fn set(&self, value: f64) {
        if let Some(series) = self.only() {
            series.set(value);
        }
    }
}

impl<L: Label> Metric<Gauge, L> {
    /// Sets the value of a label value.
    pub fn set_of(&self, label: L, value: f64) {
        if let Some(series) = self.of(label) {
            series.set(value);
        }
    }
}

impl Metric<Histogram> {
    /// Records an observation.
    pub fn record(&self, value: f64) {
        if let Some(series) = self.only() {
            series.record(value);
        }
    }
}

impl<L: Label> Metric<Histogram, L> {
    /// Records an observation of a label value.
    pub fn record_of(&self, label: L, value: f64) {
        if let Some(series) = self.of(label) {
            series.record(value);
        }
    }
}

impl Series for Counter {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_counter!(name, help);
    }

    fn create(name: &'static str, labels: Vec<metrics::Label>) -> Self {
        metrics::counter!(name, labels)
    }
}

impl Series for Gauge {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_gauge!(name, help);
    }

    fn create(name: &'static str, labels: Vec<metrics::Label>) -> Self {
        metrics::gauge!(name, labels)
    }
}

impl Series for Histogram {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_histogram!(name, help);
    }

    fn create(name: &'static str, labels: Vec<metrics::Label>) -> Self {
        metrics::histogram!(name, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use strum::IntoStaticStr;

    #[derive(Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
    #[strum(serialize_all = "snake_case")]
    enum Kind {
        First,
        Second,
    }

    #[test]
    fn registered_metrics_have_help_and_series_before_the_first_value() {
        static JOBS: Metric<Counter> = Metric::new("jobs_total", "Jobs.");
        static BY_KIND: Metric<Counter, Kind> =
            Metric::by("jobs_by_kind_total", "Jobs by kind.", "kind");
        let recorder = PrometheusBuilder::new().build_recorder();
        let text = recorder.handle();
        JOBS.add(5);
        metrics::with_local_recorder(&recorder, || {
            JOBS.register();
            BY_KIND.register();
        });
        BY_KIND.add_to(Kind::Second, 2);
        let text = text.render();
        for line in [
            "# HELP jobs_total Jobs.",
            "# TYPE jobs_total counter",
            "jobs_total 0",
            r#"jobs_by_kind_total{kind="first"} 0"#,
            r#"jobs_by_kind_total{kind="second"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
