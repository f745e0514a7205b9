//! The servers that tests run against.

use crate::infrastructure::{Infrastructure, Plan, start_single_database};
use crate::supervisor::Supervised;
use crate::test_programs::Needs;
use crate::{infra, terminal, test_leftovers};
use anyhow::Result;

/// Running servers. Dropping them stops those that were started for the tests.
#[derive(Debug, Default)]
pub struct TestServers {
    /// Their addresses, as environment variables.
    pub environment: Vec<(String, String)>,
    _database: Option<Supervised>,
    _infrastructure: Option<Infrastructure>,
}

impl TestServers {
    /// Uses the servers of `cargo stack infra` if they are running for this project, otherwise
    /// starts those that are needed.
    pub fn start(needs: Needs, plan: &Plan<'_>) -> Result<Self> {
        if needs == Needs::Nothing {
            return Ok(Self::default());
        }
        if let Some(environment) = infra::running(&plan.instance.project) {
            terminal::note("  using the servers of `cargo stack infra`");
            test_leftovers::remove(&plan.instance.project, &environment)?;
            return Ok(Self { environment, ..Self::default() });
        }
        if needs == Needs::Database {
            let (cluster, server) = start_single_database(plan.instance)?;
            let environment = vec![("DATABASE_URL".to_owned(), cluster.url())];
            return Ok(Self { environment, _database: Some(server), ..Self::default() });
        }
        let infrastructure = Infrastructure::start(plan)?;
        Ok(Self {
            environment: infrastructure.environment(),
            _infrastructure: Some(infrastructure),
            ..Self::default()
        })
    }
}
