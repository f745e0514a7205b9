//! The metrics in `docs/metrics.md` follow the naming conventions, and alerts, dashboard
//! and runbook name no other metrics. Every alert has a test and a section in the runbook.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use system_tests::documented_metrics::documented;

/// Files that name metrics.
const USERS: [(&str, &str); 4] = [
    ("alerts.yml", include_str!("../../deploy/observability/alerts.yml")),
    ("alerts_test.yml", include_str!("../../deploy/observability/alerts_test.yml")),
    ("dashboard", include_str!("../../deploy/observability/grafana/dashboards/shop.json")),
    ("docs/alerts.md", include_str!("../../docs/alerts.md")),
];

/// All metrics with their types.
fn all() -> BTreeMap<String, String> {
    ["All services", "Command service", "Consumer service", "Query service"]
        .into_iter()
        .flat_map(documented)
        .map(|(name, (kind, _))| (name, kind))
        .collect()
}

/// See <https://prometheus.io/docs/practices/naming/>.
#[test]
fn metric_names_follow_the_conventions() {
    for (name, kind) in all() {
        let begins = name.starts_with("shop_") || name.starts_with("process_");
        let ends = match &*kind {
            "counter" => name.ends_with("_total"),
            "histogram" => name.ends_with("_seconds") || name.ends_with("_size"),
            _ => !name.ends_with("_total"),
        };
        assert!(begins && ends, "{name}, a {kind}");
    }
}

#[test]
fn alerts_dashboard_and_runbook_use_only_documented_metrics() {
    let known = all();
    for (user, text) in USERS {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: BTreeSet<&str> = words
            .filter(|word| word.starts_with("shop_") || word.starts_with("process_"))
            .collect();
        assert!(!names.is_empty(), "{user}");
        for name in names {
            let parts = ["_bucket", "_sum", "_count"];
            let plain = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            assert!(known.contains_key(name) || known.contains_key(plain), "{user}: {name}");
        }
    }
}

#[test]
fn every_alert_has_tests_and_a_runbook() {
    let [(_, rules), (_, tests), _, (_, runbook)] = USERS;
    let anchors: Vec<String> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.to_lowercase().replace(',', "").replace(' ', "-"))
        .collect();
    let mut alerts = rules.split("- alert: ").skip(1).peekable();
    assert!(alerts.peek().is_some());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        for field in ["for: ", "severity: ", "summary: ", "description: "] {
            assert!(alert.contains(field), "{name} has no {field}");
        }
        let (_, anchor) = alert.split_once("runbook: docs/alerts.md#").expect(name);
        let anchor = anchor.lines().next().unwrap();
        assert!(anchors.iter().any(|known| known == anchor), "{name}: no section #{anchor}");
        // At least one test in which the alert fires, with labels and texts, and one in
        // which it does not.
        assert!(tests.contains(&format!("- {{alertname: {name}, ")), "{name} is never silent");
        let firing = tests.split_once(&format!("- alertname: {name}\n"));
        let (_, firing) = firing.unwrap_or_else(|| panic!("{name} never fires"));
        let (firing, _) = firing.split_once("- alertname").unwrap_or((firing, ""));
        for field in ["exp_labels: ", "summary: ", "description: ", "runbook: "] {
            assert!(firing.contains(field), "the test of {name} has no {field}");
        }
    }
    assert!(!tests.contains("ALERTS{"), "a count of alerts checks neither labels nor texts");
}

/// A service without instances is red, independent of the other services.
#[test]
fn the_dashboard_shows_every_service_that_is_down() {
    let dashboard: Value = serde_json::from_str(USERS[2].1).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let panel = panels.iter().find(|panel| panel["title"] == "Instances up").unwrap();
    let targets = panel["targets"].as_array().unwrap().iter();
    let shown: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    let service = |name| format!(r#"sum(up{{job="{name}-service"}}) or vector(0)"#);
    assert_eq!(shown, ["command", "query", "consumer"].map(service));
    let steps = &panel["fieldConfig"]["defaults"]["thresholds"]["steps"];
    let expected = json!([{"color": "red", "value": null}, {"color": "green", "value": 1}]);
    assert_eq!(*steps, expected);
}
