//! What a service says about itself.

use crate::metrics::Gauge;
use crate::metrics::common::PART_UP;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{info, warn};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The health of a process: that of the parts it depends on.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Part>>>,
}

/// The reason of a part that has not reported yet.
const STARTING: &str = "starting";

/// What the absence of a part means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The service cannot do its work without: `/health` answers 503.
    Vital,
    /// The service goes on without: `/health` only tells.
    Useful,
}

/// A part that the service depends on.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Part {
    /// `up` or `down`.
    #[schema(examples("up"))]
    status: &'static str,
    /// Why it is down; on operations ports only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("connection refused"))]
    detail: Option<String>,
    /// Since when it is up or down.
    #[schema(examples("2026-11-21T11:44:31.202809Z"))]
    since: DateTime<Utc>,
    /// The reasons, by reporting task: see [`Reporter::one_of`].
    #[serde(skip)]
    reasons: BTreeMap<&'static str, String>,
    #[serde(skip)]
    need: Need,
    /// Whether the service still does some of its work while the part is down.
    #[serde(skip)]
    is_partial: bool,
    #[serde(skip)]
    is_up: Gauge,
}

/// Where a part's own task reports how it is.
#[derive(Clone, Debug)]
pub struct Reporter {
    health: Health,
    name: &'static str,
    /// The task that reports; empty if there is only one.
    by: &'static str,
}

/// What is told of it at a port.
#[derive(Clone, Debug)]
struct Told {
    health: Health,
    /// Whether it says why a part is down. That quotes databases, brokers and files, with
    /// names that are not for everybody.
    with_details: bool,
}

/// The health of a service, with a member for each part that it depends on.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
struct Body {
    /// `ok`, or `unavailable` while it cannot do its work.
    #[schema(examples("ok"))]
    status: &'static str,
    #[serde(flatten)]
    parts: BTreeMap<&'static str, Part>,
}

/// Whether the service can do its work
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "getHealth",
    tag = openapi::TAG,
    responses(
        (status = 200, description = "It can.", body = Body),
        (status = 503, description = "It cannot: a part is down without which it cannot.", body = Body),
    )
)]
async fn get(State(told): State<Told>) -> Response {
    told.answer()
}

impl Health {
    /// Adds a part, down until it reports otherwise.
    pub fn part(&self, name: &'static str, need: Need) -> Reporter {
        let is_up = PART_UP.with([("part", name.into())]);
        let reasons = BTreeMap::from([("", STARTING.to_owned())]);
        let (detail, since) = (Some(STARTING.to_owned()), Utc::now());
        let is_partial = false;
        let part = Part { status: "down", detail, since, reasons, need, is_partial, is_up };
        self.lock().insert(name, part);
        Reporter { health: self.clone(), name, by: "" }
    }

    /// `GET /health` for operators.
    pub fn routes(&self) -> OpenApiRouter {
        self.routes_of(Told { health: self.clone(), with_details: true })
    }

    /// `GET /health` for anybody, with its document.
    pub fn public_routes(&self) -> OpenApiRouter {
        self.routes_of(Told { health: self.clone(), with_details: false })
    }

    fn routes_of(&self, told: Told) -> OpenApiRouter {
        OpenApiRouter::default().routes(routes!(get)).with_state(told)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// 200 `{"status":"ok", …}`, or 503 while a vital part is down; either way
    /// a member for each part.
    fn answer(&self) -> Response {
        let mut parts = self.health.lock().clone();
        let well = parts
            .values()
            .all(|part| part.status == "up" || part.need == Need::Useful || part.is_partial);
        if !self.with_details {
            parts.values_mut().for_each(|part| part.detail = None);
        }
        let (code, status) = if well {
            (StatusCode::OK, "ok")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        };
        (code, Json(Body { status, parts })).into_response()
    }
}

impl Reporter {
    /// A reporter for one of several tasks that use the part. The part is up when all of
    /// them report it up.
    pub fn one_of(&self, by: &'static str) -> Self {
        if let Some(part) = self.health.lock().get_mut(self.name) {
            part.reasons.remove(self.by);
            part.reasons.insert(by, STARTING.to_owned());
        }
        Self { health: self.health.clone(), name: self.name, by }
    }

    /// The part works.
    pub fn up(&self) {
        if self.change(None, false) {
            info!("{}: up", self.name);
        }
    }

    /// The part does not work, and why. Logged once, until that changes.
    pub fn down(&self, detail: impl std::fmt::Display) {
        self.note_down(detail.to_string(), false);
    }

    /// The same, but the service still does some of its work and stays available.
    pub fn partly_down(&self, detail: impl std::fmt::Display) {
        self.note_down(detail.to_string(), true);
    }

    fn note_down(&self, detail: String, is_partial: bool) {
        if self.change(Some(detail.clone()), is_partial) {
            warn!("{}: down: {detail}", self.name);
        }
    }

    /// Stores a report; returns whether the part's status or reason has changed.
    fn change(&self, reason: Option<String>, is_partial: bool) -> bool {
        let mut parts = self.health.lock();
        let Some(part) = parts.get_mut(self.name) else { return false };
        match reason {
            Some(why) => part.reasons.insert(self.by, why),
            None => part.reasons.remove(self.by),
        };
        let detail = part.reasons.values().next().cloned();
        let status = if detail.is_none() { "up" } else { "down" };
        let changed = part.status != status || part.detail != detail;
        if part.status != status {
            part.since = Utc::now();
            part.is_up.set(f64::from(u8::from(status == "up")));
        }
        part.status = status;
        part.detail = detail;
        part.is_partial = is_partial;
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
        let status = || Told { health: health.clone(), with_details: true }.answer().status();
        assert_eq!(status(), StatusCode::SERVICE_UNAVAILABLE);
        database.up();
        assert_eq!(status(), StatusCode::OK);
        broker.down("refused");
        assert_eq!(status(), StatusCode::OK);
        database.partly_down("slow");
        assert_eq!(status(), StatusCode::OK);
        database.down("gone");
        assert_eq!(status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_part_of_several_tasks_is_up_when_it_is_for_all_of_them() {
        let health = Health::default();
        let broker = health.part("broker", Need::Vital);
        let (orders, users) = (broker.one_of("orders"), broker.one_of("users"));
        let told = || health.lock()["broker"].clone();
        orders.up();
        assert_eq!(told().status, "down");
        users.up();
        assert_eq!(told().status, "up");
        orders.down("no such queue");
        users.up();
        assert_eq!(told().detail.as_deref(), Some("no such queue"));
        orders.up();
        assert_eq!((told().status, told().detail), ("up", None));
    }
}
