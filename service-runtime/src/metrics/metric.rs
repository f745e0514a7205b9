//! What a metric is.

pub use metrics::{Counter, Gauge, Histogram};
use metrics::{Label, SharedString};
use std::sync::OnceLock;

/// A metric: its name, what it tells, and its series.
///
/// Metrics are statics. Those of a service are in one list, which is registered when
/// the service starts: so each is described, and its series are there from the
/// beginning, with 0. (The rate of a counter that appears with its first value leaves
/// that value out.) What is recorded of a metric in no list goes nowhere.
#[derive(Debug)]
pub struct Metric<S> {
    name: &'static str,
    help: &'static str,
    /// The label by which series differ, and all of its values; none: a single series.
    label: Option<(&'static str, &'static [&'static str])>,
    series: OnceLock<Box<[S]>>,
}

/// A metric in a list.
pub trait Registered: Sync {
    /// Describes it, and begins its series.
    fn register(&self);
}

/// A sort of series.
pub trait Series: Send + Sync + Sized {
    /// Describes a metric whose series are of this sort.
    fn describe(name: &'static str, help: &'static str);

    /// The series with those labels.
    fn begin(name: &'static str, labels: Vec<Label>) -> Self;
}

impl<S: Series> Metric<S> {
    /// A metric of a single series.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, label: None, series: OnceLock::new() }
    }

    /// A metric with a series for each of a label's values. Without values, series
    /// begin when they are asked for by [`Metric::with`].
    pub const fn by(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &'static [&'static str],
    ) -> Self {
        Self { name, help, label: Some((label, values)), series: OnceLock::new() }
    }

    /// A series whose labels nobody knows beforehand. To be kept by whoever needs it
    /// more often: finding it again takes time and memory.
    pub fn with<const N: usize>(&self, labels: [(&'static str, SharedString); N]) -> S {
        let labels = labels.into_iter().map(|(name, value)| Label::new(name, value)).collect();
        S::begin(self.name, labels)
    }

    pub(super) fn only(&self) -> Option<&S> {
        self.series.get()?.first()
    }

    fn of(&self, value: &str) -> Option<&S> {
        let (_, values) = self.label?;
        let place = values.iter().position(|known| *known == value)?;
        self.series.get()?.get(place)
    }
}

impl<S: Series> Registered for Metric<S> {
    fn register(&self) {
        S::describe(self.name, self.help);
        self.series.get_or_init(|| match self.label {
            None => [S::begin(self.name, Vec::new())].into(),
            Some((label, values)) => {
                let begin = |value: &&'static str| {
                    S::begin(self.name, vec![Label::from_static_parts(label, value)])
                };
                values.iter().map(begin).collect()
            }
        });
    }
}

impl Metric<Counter> {
    /// Counts so many.
    pub fn add(&self, count: usize) {
        if let Some(series) = self.only() {
            series.increment(count as u64);
        }
    }

    /// Counts so many under one of the label's values.
    pub fn add_to(&self, value: &str, count: usize) {
        if let Some(series) = self.of(value) {
            series.increment(count as u64);
        }
    }
}

impl Metric<Gauge> {
    /// Says how much it is now; NaN: nobody knows.
    pub fn set(&self, value: f64) {
        if let Some(series) = self.only() {
            series.set(value);
        }
    }
}

impl Metric<Histogram> {
    /// Adds an observation.
    pub fn record(&self, value: f64) {
        if let Some(series) = self.only() {
            series.record(value);
        }
    }

    /// Adds an observation under one of the label's values.
    pub fn record_of(&self, of: &str, value: f64) {
        if let Some(series) = self.of(of) {
            series.record(value);
        }
    }
}

impl Series for Counter {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_counter!(name, help);
    }

    fn begin(name: &'static str, labels: Vec<Label>) -> Self {
        metrics::counter!(name, labels)
    }
}

impl Series for Gauge {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_gauge!(name, help);
    }

    fn begin(name: &'static str, labels: Vec<Label>) -> Self {
        metrics::gauge!(name, labels)
    }
}

impl Series for Histogram {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_histogram!(name, help);
    }

    fn begin(name: &'static str, labels: Vec<Label>) -> Self {
        metrics::histogram!(name, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn series_are_described_and_there_before_anything_was_counted() {
        static ORDERS: Metric<Counter> = Metric::new("orders_total", "Orders.");
        static BY_TOPIC: Metric<Counter> =
            Metric::by("events_total", "Events.", "topic", &["a", "b"]);
        let recorder = PrometheusBuilder::new().build_recorder();
        let text = recorder.handle();
        ORDERS.add(5);
        metrics::with_local_recorder(&recorder, || {
            ORDERS.register();
            BY_TOPIC.register();
        });
        BY_TOPIC.add_to("b", 2);
        BY_TOPIC.add_to("unheard of", 2);
        let text = text.render();
        for line in [
            "# HELP orders_total Orders.",
            "# TYPE orders_total counter",
            "orders_total 0",
            r#"events_total{topic="a"} 0"#,
            r#"events_total{topic="b"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("unheard of"), "{text}");
    }
}
