//! The metrics in `docs/metrics.md` follow the naming conventions, and alerts, dashboard
//! and runbook name no other metrics. Every alert has a test and a section in the runbook.

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
fn names_of_metrics_are_conventional() {
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
fn alerts_dashboard_and_runbook_name_documented_metrics_only() {
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
fn every_alert_is_tested_and_has_a_runbook() {
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
        for member in ["for: ", "severity: ", "summary: ", "description: "] {
            assert!(alert.contains(member), "{name} has no {member}");
        }
        let (_, anchor) = alert.split_once("runbook: docs/alerts.md#").expect(name);
        let anchor = anchor.lines().next().unwrap();
        assert!(anchors.iter().any(|known| known == anchor), "{name}: no section #{anchor}");
        // At least one test in which it fires, and one in which it does not.
        let asked = format!("alertname=\"{name}\", alertstate=\"firing\"}}) or vector(0)");
        let values = tests.split(&asked).skip(1).filter_map(|test| test.split("value: ").nth(1));
        let values: BTreeSet<char> = values.filter_map(|value| value.chars().next()).collect();
        assert_eq!(values, BTreeSet::from(['0', '1']), "{name}");
    }
}
