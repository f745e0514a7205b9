//! What a metric is.

use metrics::SharedString;
pub use metrics::{Counter, Gauge, Histogram};
use std::marker::PhantomData;
use std::sync::OnceLock;
use strum::VariantArray;

/// A metric: its name, what it tells, and its series.
///
/// Metrics are statics. Those of a service are in one list, which is registered when
/// the service starts: so each is described, and its series are there from the
/// beginning, with 0. (The rate of a counter that appears with its first value leaves
/// that value out.) What is recorded of a metric in no list goes nowhere.
#[derive(Debug)]
pub struct Metric<S, L = NoLabel> {
    name: &'static str,
    help: &'static str,
    labels: Labels,
    /// One for each value of the label, or a single one.
    series: OnceLock<Box<[S]>>,
    label: PhantomData<fn() -> L>,
}

/// The labels of a metric's series.
#[derive(Clone, Copy, Debug)]
enum Labels {
    /// There is one.
    None,
    /// By the values of this label.
    Fixed(&'static str),
    /// By labels whose values are known when they are measured.
    Open,
}

/// The values of a label: an enum whose variants have the values as names.
pub trait Label: Copy + PartialEq + VariantArray + Into<&'static str> {}

impl<L: Copy + PartialEq + VariantArray + Into<&'static str>> Label for L {}

/// Of metrics whose series do not differ by a fixed label.
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
    fn begin(name: &'static str, labels: Vec<metrics::Label>) -> Self;
}

impl<S: Series> Metric<S> {
    /// A metric of a single series.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self::of_labels(name, help, Labels::None)
    }

    /// A metric whose series are created by [`Metric::with`].
    pub const fn open(name: &'static str, help: &'static str) -> Self {
        Self::of_labels(name, help, Labels::Open)
    }

    /// A series of an open metric. Keep it for repeated use: each lookup takes time and
    /// memory.
    pub fn with<const N: usize>(&self, labels: [(&'static str, SharedString); N]) -> S {
        let label = |(name, value)| metrics::Label::new(name, value);
        S::begin(self.name, labels.into_iter().map(label).collect())
    }

    pub(super) fn only(&self) -> Option<&S> {
        self.series.get()?.first()
    }
}

impl<S: Series, L: Label> Metric<S, L> {
    /// A metric with a series for each value of a label.
    pub const fn by(name: &'static str, help: &'static str, label: &'static str) -> Self {
        Self::of_labels(name, help, Labels::Fixed(label))
    }

    const fn of_labels(name: &'static str, help: &'static str, labels: Labels) -> Self {
        Self { name, help, labels, series: OnceLock::new(), label: PhantomData }
    }

    fn of(&self, value: L) -> Option<&S> {
        let place = L::VARIANTS.iter().position(|known| *known == value)?;
        self.series.get()?.get(place)
    }
}

impl<S: Series, L: Label> Registered for Metric<S, L> {
    fn register(&self) {
        S::describe(self.name, self.help);
        self.series.get_or_init(|| match self.labels {
            Labels::None => [S::begin(self.name, Vec::new())].into(),
            Labels::Open => [].into(),
            Labels::Fixed(label) => {
                let begin = |value: &L| {
                    let label = metrics::Label::from_static_parts(label, (*value).into());
                    S::begin(self.name, vec![label])
                };
                L::VARIANTS.iter().map(begin).collect()
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
}

impl<L: Label> Metric<Counter, L> {
    /// Counts so many under one of the label's values.
    pub fn add_to(&self, value: L, count: usize) {
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

impl<L: Label> Metric<Gauge, L> {
    /// Sets the value for one of the label's values.
    pub fn set_of(&self, of: L, value: f64) {
        if let Some(series) = self.of(of) {
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
}

impl<L: Label> Metric<Histogram, L> {
    /// Adds an observation under one of the label's values.
    pub fn record_of(&self, of: L, value: f64) {
        if let Some(series) = self.of(of) {
            series.record(value);
        }
    }
}

impl Series for Counter {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_counter!(name, help);
    }

    fn begin(name: &'static str, labels: Vec<metrics::Label>) -> Self {
        metrics::counter!(name, labels)
    }
}

impl Series for Gauge {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_gauge!(name, help);
    }

    fn begin(name: &'static str, labels: Vec<metrics::Label>) -> Self {
        metrics::gauge!(name, labels)
    }
}

impl Series for Histogram {
    fn describe(name: &'static str, help: &'static str) {
        metrics::describe_histogram!(name, help);
    }

    fn begin(name: &'static str, labels: Vec<metrics::Label>) -> Self {
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
    fn series_are_described_and_there_before_anything_was_counted() {
        static ORDERS: Metric<Counter> = Metric::new("orders_total", "Orders.");
        static BY_KIND: Metric<Counter, Kind> = Metric::by("events_total", "Events.", "kind");
        let recorder = PrometheusBuilder::new().build_recorder();
        let text = recorder.handle();
        ORDERS.add(5);
        metrics::with_local_recorder(&recorder, || {
            ORDERS.register();
            BY_KIND.register();
        });
        BY_KIND.add_to(Kind::Second, 2);
        let text = text.render();
        for line in [
            "# HELP orders_total Orders.",
            "# TYPE orders_total counter",
            "orders_total 0",
            r#"events_total{kind="first"} 0"#,
            r#"events_total{kind="second"} 2"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
