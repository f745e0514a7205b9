//! The start of a service: logs, metrics, health, authentication, operations port.

use crate::auth::Guard;
use crate::config::Common;
use crate::health::Health;
use crate::metrics::{self, Metrics, Registered};
use crate::server;
use crate::tasks::Tasks;
use crate::{http, telemetry};
use std::net::IpAddr;
use utoipa_axum::router::OpenApiRouter;

/// A service that has started.
pub struct Service {
    /// Its tasks.
    pub tasks: Tasks,
    /// Its dependencies.
    pub health: Health,
    /// The check of callers, for its servers.
    pub guard: Guard,
    metrics: Metrics,
    operations_address: IpAddr,
}

impl Service {
    /// Starts logs, traces, metrics and the check of callers.
    ///
    /// # Errors
    /// A setting is invalid.
    pub fn start(
        name: &'static str,
        metrics: &[&dyn Registered],
        settings: &Common,
    ) -> anyhow::Result<Self> {
        telemetry::start(name, settings)?;
        let mut tasks = Tasks::default();
        // Before the first measurement, such as those of health.
        let metrics = metrics::install(name, metrics, tasks.shutdown())?;
        let health = Health::default();
        let guard = Guard::open(&settings.auth, &settings.traffic, &health, &mut tasks)?;
        let operations_address = settings.operations_address;
        Ok(Self { tasks, health, guard, metrics, operations_address })
    }

    /// Serves health, metrics and these routes for administrators.
    ///
    /// # Errors
    /// The port cannot be opened.
    pub async fn serve_operations(
        &mut self,
        port: u16,
        routes: OpenApiRouter,
    ) -> anyhow::Result<()> {
        let Self { tasks, health, guard, metrics, operations_address } = self;
        let address = (*operations_address, port).into();
        let routes = server::operations(guard, health, metrics.clone(), routes);
        let serving = http::serve("operations", address, routes, tasks.shutdown()).await?;
        tasks.spawn("operations", serving);
        Ok(())
    }
}
