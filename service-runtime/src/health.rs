//! What a service says about itself.

use crate::metrics::Gauge;
use crate::metrics::common::PART_UP;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{info, warn};

/// The health of a process: that of the parts it depends on.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Part>>>,
}

/// What the absence of a part means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The service cannot do its work without: `/health` answers 503.
    Vital,
    /// The service goes on without: `/health` only tells.
    Useful,
}

#[derive(Clone, Debug, Serialize)]
struct Part {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    since: DateTime<Utc>,
    #[serde(skip)]
    need: Need,
    #[serde(skip)]
    is_up: Gauge,
}

/// Where a part's own task reports how it is.
#[derive(Clone, Debug)]
pub struct Reporter {
    health: Health,
    name: &'static str,
}

impl Health {
    /// Adds a part, down until it reports otherwise.
    pub fn part(&self, name: &'static str, need: Need) -> Reporter {
        let detail = Some("starting".to_owned());
        let is_up = PART_UP.with([("part", name.into())]);
        let part = Part { status: "down", detail, since: Utc::now(), need, is_up };
        self.lock().insert(name, part);
        Reporter { health: self.clone(), name }
    }

    /// `GET /health`.
    pub fn routes(&self) -> Router {
        let health = self.clone();
        Router::new().route("/health", get(move || async move { health.answer() }))
    }

    /// 200 `{"status":"ok", …}`, or 503 while a vital part is down; either way
    /// a member for each part.
    fn answer(&self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            status: &'static str,
            #[serde(flatten)]
            parts: &'a BTreeMap<&'static str, Part>,
        }
        let parts = self.lock();
        let well = parts.values().all(|part| part.status == "up" || part.need == Need::Useful);
        let (code, status) = if well {
            (StatusCode::OK, "ok")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        };
        (code, Json(Body { status, parts: &parts })).into_response()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter {
    /// The part works.
    pub fn up(&self) {
        if self.change("up", None) {
            info!("{}: up", self.name);
        }
    }

    /// The part does not work, and why. Logged once, until that changes.
    pub fn down(&self, detail: impl std::fmt::Display) {
        let detail = detail.to_string();
        if self.change("down", Some(detail.clone())) {
            warn!("{}: {detail}; trying on", self.name);
        }
    }

    fn change(&self, status: &'static str, detail: Option<String>) -> bool {
        let mut parts = self.health.lock();
        let Some(part) = parts.get_mut(self.name) else { return false };
        let changed = part.status != status || part.detail != detail;
        if part.status != status {
            part.since = Utc::now();
            part.is_up.set(f64::from(u8::from(status == "up")));
        }
        part.status = status;
        part.detail = detail;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_vital_part_makes_the_service_unavailable() {
        let health = Health::default();
        let database = health.part("database", Need::Vital);
        let broker = health.part("broker", Need::Useful);
        assert_eq!(health.answer().status(), StatusCode::SERVICE_UNAVAILABLE);
        database.up();
        assert_eq!(health.answer().status(), StatusCode::OK);
        broker.down("refused");
        assert_eq!(health.answer().status(), StatusCode::OK);
        database.down("gone");
        assert_eq!(health.answer().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
