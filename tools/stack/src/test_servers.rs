//! The servers that tests run against.

use anyhow::Result;

use crate::{
    infra,
    infrastructure::{Infrastructure, Plan},
    single_database::SingleDatabase,
    terminal, test_leftovers,
    test_programs::Needs,
};

/// Running servers. Dropping them stops those that were started for the tests.
#[derive(Debug)]
pub enum TestServers {
    None,
    /// The servers of `cargo stack infra`, by their addresses.
    OfInfra(Vec<(String, String)>),
    Database(Box<SingleDatabase>),
    /// Both database servers and the broker.
    Everything(Box<Infrastructure>),
}

impl TestServers {
    /// Uses the servers of `cargo stack infra` if they are running for this project, otherwise
    /// starts those that are needed.
    pub fn start(needs: Needs, plan: &Plan<'_>) -> Result<Self> {
        if needs == Needs::Nothing {
            return Ok(Self::None);
        }
        if let Some(environment) = infra::running(&plan.instance.project) {
            terminal::note("  using the servers of `cargo stack infra`");
            test_leftovers::remove(&plan.instance.project, &environment)?;
            return Ok(Self::OfInfra(environment));
        }
        if needs == Needs::Database {
            let database = SingleDatabase::start(plan.instance)?;
            return Ok(Self::Database(Box::new(database)));
        }
        Ok(Self::Everything(Box::new(Infrastructure::start(plan)?)))
    }

    /// Their addresses, as environment variables.
    pub fn environment(&self) -> Vec<(String, String)> {
        match self {
            Self::None => Vec::new(),
            Self::OfInfra(environment) => environment.clone(),
            Self::Database(database) => {
                vec![("DATABASE_URL".to_owned(), database.cluster.url())]
            }
            Self::Everything(infrastructure) => {
                infrastructure.environment().map(|(name, value)| (name.to_owned(), value)).to_vec()
            }
        }
    }

    /// Stops those that were started for the tests.
    pub fn stop(&mut self) {
        match self {
            Self::None | Self::OfInfra(_) => {}
            Self::Database(database) => database.stop(),
            Self::Everything(infrastructure) => infrastructure.stop(),
        }
    }
}
