//! The status of the dependencies of a process. `server/health.rs` shows it.

use crate::metrics::Gauge;
use crate::metrics::service::DEPENDENCY_UP;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::{info, warn};
use utoipa::ToSchema;

/// The reason of a dependency that has not been reported yet.
const STARTING: &str = "starting";

/// The dependencies of a process, by name.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, Dependency>>>);

/// A dependency of the service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Dependency {
    /// `up` or `down`.
    #[schema(examples("up"))]
    status: &'static str,
    /// Why it is down. Shown on operations ports only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("connection refused"))]
    pub(crate) detail: Option<String>,
    /// Time of the last change of `status`.
    #[schema(examples("2026-11-21T11:44:31.202809Z"))]
    since: DateTime<Utc>,
    /// Reasons by task; see [`DependencyStatus::for_task`].
    #[serde(skip)]
    reasons: BTreeMap<&'static str, String>,
    /// Whether the service is unavailable while it is down.
    #[serde(skip)]
    is_critical: bool,
    /// Whether the service still does some of its work while it is down.
    #[serde(skip)]
    is_degraded: bool,
    #[serde(skip)]
    is_up: Gauge,
}

/// Sets the status of a dependency.
#[derive(Clone, Debug)]
pub struct DependencyStatus {
    health: Health,
    name: &'static str,
    /// The task that reports; empty if there is only one.
    task: &'static str,
}

impl Health {
    /// Adds a dependency without which the service is unavailable. It is down until it is
    /// reported up.
    pub fn critical(&self, name: &'static str) -> DependencyStatus {
        self.add(name, true)
    }

    /// Adds a dependency without which the service stays available. It is down until it
    /// is reported up.
    pub fn optional(&self, name: &'static str) -> DependencyStatus {
        self.add(name, false)
    }

    fn add(&self, name: &'static str, is_critical: bool) -> DependencyStatus {
        let dependency = Dependency {
            status: "down",
            detail: Some(STARTING.to_owned()),
            since: Utc::now(),
            reasons: BTreeMap::from([("", STARTING.to_owned())]),
            is_critical,
            is_degraded: false,
            is_up: DEPENDENCY_UP.with([("part", name.into())]),
        };
        self.0.lock().insert(name, dependency);
        DependencyStatus { health: self.clone(), name, task: "" }
    }

    /// Whether all critical dependencies are up or degraded; and all dependencies.
    pub(crate) fn snapshot(&self) -> (bool, BTreeMap<&'static str, Dependency>) {
        let dependencies = self.0.lock().clone();
        let is_available = dependencies.values().all(|dependency| {
            dependency.status == "up" || !dependency.is_critical || dependency.is_degraded
        });
        (is_available, dependencies)
    }
}

impl DependencyStatus {
    /// The status as seen by one of several tasks. The dependency is up when all of them
    /// report it up.
    pub fn for_task(&self, task: &'static str) -> Self {
        if let Some(dependency) = self.health.0.lock().get_mut(self.name) {
            dependency.reasons.remove(self.task);
            dependency.reasons.insert(task, STARTING.to_owned());
        }
        Self { health: self.health.clone(), name: self.name, task }
    }

    /// Reports that the dependency works.
    pub fn up(&self) {
        self.set(None, false);
    }

    /// Reports that the dependency does not work, and why. A reason is logged once.
    pub fn down(&self, reason: impl std::fmt::Display) {
        self.set(Some(reason.to_string()), false);
    }

    /// Reports that the dependency does not work, but that the service still does some of
    /// its work and stays available.
    pub fn degraded(&self, reason: impl std::fmt::Display) {
        self.set(Some(reason.to_string()), true);
    }

    /// Logs a change of the status or of the shown reason.
    fn set(&self, reason: Option<String>, is_degraded: bool) {
        let mut dependencies = self.health.0.lock();
        let Some(dependency) = dependencies.get_mut(self.name) else { return };
        match reason.clone() {
            Some(reason) => dependency.reasons.insert(self.task, reason),
            None => dependency.reasons.remove(self.task),
        };
        let detail = dependency.reasons.values().next().cloned();
        let status = if detail.is_none() { "up" } else { "down" };
        let has_changed = dependency.status != status || dependency.detail != detail;
        if dependency.status != status {
            dependency.since = Utc::now();
            dependency.is_up.set(f64::from(u8::from(status == "up")));
        }
        dependency.status = status;
        dependency.detail = detail;
        dependency.is_degraded = is_degraded;
        drop(dependencies);
        match reason {
            _ if !has_changed => {}
            Some(reason) => warn!("{}: down: {reason}", self.name),
            None => info!("{}: up", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_critical_dependency_makes_the_service_unavailable() {
        let health = Health::default();
        let database = health.critical("database");
        let broker = health.optional("broker");
        let is_available = || health.snapshot().0;
        assert!(!is_available());
        database.up();
        assert!(is_available());
        broker.down("refused");
        assert!(is_available());
        database.degraded("slow");
        assert!(is_available());
        database.down("gone");
        assert!(!is_available());
    }

    #[test]
    fn a_dependency_of_several_tasks_is_up_when_all_report_it_up() {
        let health = Health::default();
        let broker = health.critical("broker");
        let (first, second) = (broker.for_task("first"), broker.for_task("second"));
        let shown = || health.0.lock()["broker"].clone();
        first.up();
        assert_eq!(shown().status, "down");
        second.up();
        assert_eq!(shown().status, "up");
        first.down("no such queue");
        second.up();
        assert_eq!(shown().detail.as_deref(), Some("no such queue"));
        first.up();
        assert_eq!((shown().status, shown().detail), ("up", None));
    }
}
