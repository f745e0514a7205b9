//! Metrics as statics.

use metrics::SharedString;
pub use metrics::{Counter, Gauge, Histogram};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::OnceLock;
use strum::VariantArray;

/// A metric: its name, its help text and its series.
///
/// Metrics are statics. A service lists its metrics and registers the list at its start, so
/// every series exists from then on, with the value 0. (A rate ignores the first value of a
/// series.) Values of a metric that is not registered are discarded.
#[derive(Debug)]
pub struct Metric<S, L = ()> {
    name: &'static str,
    help: &'static str,
    labels: Labels,
    /// One per value of the label, or a single one.
    series: OnceLock<Box<[S]>>,
    /// Discards values before the metric is registered.
    discarding: S,
    label: PhantomData<fn() -> L>,
}

/// Defines metrics as statics, and `ALL`, the list of them to register. The doc comment of a metric
/// is also its help text.
///
/// ```ignore
/// documented_metrics! {
///     /// Orders placed.
///     pub static PLACED: Counter = "shop_orders_placed_total";
///
///     /// Orders refused.
///     pub static REFUSED: Counter by "reason": Refusal = "shop_orders_refused_total";
///
///     /// Responses. The values of these labels are known at run time.
///     pub static RESPONSES: Counter by ["route", "status"] = "shop_responses_total";
/// }
/// ```
#[macro_export]
macro_rules! documented_metrics {
    ($(
        $(#[doc = $help:literal])+
        $visibility:vis static $metric:ident: $series:ident
            $(by [$($open:literal),+])? $(by $label:literal: $values:ty)? = $name:literal;
    )+) => {
        /// All of them.
        pub const ALL: &[&dyn $crate::metrics::Registered] = &[$(&$metric),+];

        $(
            $(#[doc = $help])+
            $visibility static $metric:
                $crate::metrics::Metric<$crate::metrics::$series $(, $values)?> =
                $crate::documented_metrics!(
                    @new $name, [$($help),+] $(, [$($open),+])? $(, $label)?
                );
        )+
    };
    (@new $name:literal, [$($help:literal),+]) => {
        $crate::metrics::Metric::new($name, concat!($($help),+).trim_ascii_start())
    };
    (@new $name:literal, [$($help:literal),+], [$($label:literal),+]) => {
        $crate::metrics::Metric::open($name, concat!($($help),+).trim_ascii_start())
    };
    (@new $name:literal, [$($help:literal),+], $label:literal) => {
        $crate::metrics::Metric::by($name, concat!($($help),+).trim_ascii_start(), $label)
    };
}

/// The labels that distinguish the series of a metric.
#[derive(Clone, Copy, Debug)]
enum Labels {
    /// None: a single series.
    None,
    /// One label, by its name, with a fixed set of values.
    Fixed(&'static str, fn() -> Vec<&'static str>),
    /// Labels whose values are known at run time.
    Open,
}

/// The values of a fixed label: an enum whose variants convert to them.
pub trait Label: Copy + PartialEq + VariantArray + Into<&'static str> {}

impl<L: Copy + PartialEq + VariantArray + Into<&'static str>> Label for L {}

/// A metric that can be registered.
pub trait Registered: Sync {
    /// Describes the metric and creates its series.
    fn register(&self);
}

/// A type of series: counter, gauge or histogram.
pub trait Series: Send + Sync + Sized {
    /// A series that discards its values.
    const DISCARDING: Self;

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
}

/// The series of a metric with a single one.
impl<S: Series> Deref for Metric<S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.at(Some(0))
    }
}

impl<S: Series, L: Label> Metric<S, L> {
    /// A metric with one series per value of a label.
    pub const fn by(name: &'static str, help: &'static str, label: &'static str) -> Self {
        let values = || L::VARIANTS.iter().map(|value| (*value).into()).collect();
        Self::with_labels(name, help, Labels::Fixed(label, values))
    }

    /// The series of a label value.
    pub fn of(&self, value: L) -> &S {
        self.at(L::VARIANTS.iter().position(|variant| *variant == value))
    }
}

impl<S: Series, L> Metric<S, L> {
    const fn with_labels(name: &'static str, help: &'static str, labels: Labels) -> Self {
        let series = OnceLock::new();
        Self { name, help, labels, series, discarding: S::DISCARDING, label: PhantomData }
    }

    fn at(&self, index: Option<usize>) -> &S {
        let series = self.series.get().zip(index).and_then(|(series, index)| series.get(index));
        series.unwrap_or(&self.discarding)
    }
}

impl<S: Series, L> Registered for Metric<S, L> {
    fn register(&self) {
        S::describe(self.name, self.help);
        self.series.get_or_init(|| match self.labels {
            Labels::None => [S::create(self.name, Vec::new())].into(),
            Labels::Open => [].into(),
            Labels::Fixed(label, values) => {
                let labels = |value| vec![metrics::Label::from_static_parts(label, value)];
                values().into_iter().map(|value| S::create(self.name, labels(value))).collect()
            }
        });
    }
}

macro_rules! series {
    ($($series:ident: $describe:ident, $create:ident;)+) => {$(
        impl Series for $series {
            const DISCARDING: Self = Self::noop();

            fn describe(name: &'static str, help: &'static str) {
                metrics::$describe!(name, help);
            }

            fn create(name: &'static str, labels: Vec<metrics::Label>) -> Self {
                metrics::$create!(name, labels)
            }
        }
    )+};
}

series! {
    Counter: describe_counter, counter;
    Gauge: describe_gauge, gauge;
    Histogram: describe_histogram, histogram;
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
        JOBS.increment(5);
        metrics::with_local_recorder(&recorder, || {
            JOBS.register();
            BY_KIND.register();
        });
        BY_KIND.of(Kind::Second).increment(2);
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
