//! Metrics of a service.

use super::http::{Response, client};
use super::process::Service;
use std::collections::{BTreeMap, BTreeSet};

/// A scrape of `/metrics`.
#[derive(Debug)]
pub struct Metrics {
    /// The response body.
    pub text: String,
}

impl Service {
    /// `GET /metrics`
    pub async fn metrics(&self) -> Metrics {
        let url = format!("http://{}/metrics", self.address("operations").await);
        let response = Response::to(client().get(url)).await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Metrics { text: response.text }
    }
}

impl Metrics {
    /// The sum over the series of a metric that have all given labels, each `name=value`.
    pub fn value(&self, metric: &str, labels: &[&str]) -> f64 {
        let has_all = |series: &BTreeMap<&str, &str>| {
            labels.iter().all(|label| {
                let (name, value) = label.split_once('=').unwrap();
                series.get(name) == Some(&value)
            })
        };
        let found: Vec<f64> = self
            .series()
            .filter(|(name, labels, _)| *name == metric && has_all(labels))
            .map(|(_, _, value)| value)
            .collect();
        assert!(!found.is_empty(), "no {metric} {labels:?} in\n{}", self.text);
        found.iter().sum()
    }

    /// Type and label names of each metric.
    pub fn kinds(&self) -> BTreeMap<String, (String, BTreeSet<String>)> {
        let types =
            self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types
            .map(|(name, kind)| {
                let of_it = |series: &str| {
                    let parts = ["_bucket", "_sum", "_count"];
                    let plain = parts.iter().find_map(|part| series.strip_suffix(part));
                    series == name || (kind == "histogram" && plain == Some(name))
                };
                let labels = self.series().filter(|(series, _, _)| of_it(series));
                let mut labels: BTreeSet<String> = labels
                    .flat_map(|(_, labels, _)| labels.into_keys())
                    .map(str::to_owned)
                    .collect();
                labels.remove("le");
                (name.to_owned(), (kind.to_owned(), labels))
            })
            .collect()
    }

    /// Names, labels and values of all series.
    fn series(&self) -> impl Iterator<Item = (&str, BTreeMap<&str, &str>, f64)> {
        let lines = self.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.strip_suffix('}').unwrap_or_default().split("\",");
            let labels = labels
                .filter_map(|label| label.split_once("=\""))
                .map(|(name, value)| (name, value.trim_end_matches('"')));
            (name, labels.collect(), value.parse().unwrap())
        })
    }
}
