//! The state of a run that all sections share.

use crate::arguments::{Arguments, Pace};
use crate::databases::Databases;
use crate::drive::{ClosedLoop, Until};
use crate::machine::{self, flushes_per_second};
use crate::pgbench::Pgbench;
use crate::report::Report;
use crate::servers::Servers;
use crate::shop::Shop;
use anyhow::Result;
use kit::{note, print, shown};
use std::rc::Rc;

#[derive(Debug)]
pub struct Session {
    pub servers: Rc<Servers>,
    pub pace: Pace,
    pub report: Report,
    /// The grown databases, while sections run on them.
    pub grown: Option<Databases>,
}

impl Session {
    /// Begins a run and prints the machine and the servers.
    pub async fn begin(arguments: &Arguments) -> Result<Self> {
        let servers = Servers::from_environment()?;
        let pace = arguments.pace();
        let machine = machine::describe(&servers, pace.quick).await?;
        print(&machine.join("\n"));
        let report = Report::new(machine);
        Ok(Self { servers: Rc::new(servers), pace, report, grown: None })
    }

    /// Runs a section in a new shop, or in that of the grown databases, and reports the disk's
    /// speed before and after it.
    pub async fn section(
        &mut self,
        name: &str,
        run: impl AsyncFnOnce(&mut Self, &Shop) -> Result<()>,
    ) -> Result<()> {
        let grown = self.grown.clone();
        note(&format!("\n{name}{}", if grown.is_some() { ", grown" } else { "" }));
        self.report.begin(name, grown.is_some(), flushes_per_second(&self.servers.folder)?);
        let shop = match &grown {
            Some(databases) => Shop::of(&self.servers, databases.clone()).await?,
            None => Shop::open(&self.servers).await?,
        };
        run(self, &shop).await?;
        if grown.is_none() {
            shop.databases.delete().await?;
        }
        self.report.end(flushes_per_second(&self.servers.folder)?);
        Ok(())
    }

    /// The limit of orders; none on grown databases, which are compared with small ones.
    pub async fn open_limit(&self) -> Result<Option<Pgbench>> {
        if self.grown.is_some() {
            return Ok(None);
        }
        shown("pgbench's database", Pgbench::one_statement(&self.servers)).await.map(Some)
    }

    /// A closed loop of orders.
    pub const fn placing(&self, connections: usize) -> ClosedLoop {
        let Pace { warm_up, measure, .. } = self.pace;
        ClosedLoop { connections, warm_up, until: Until::Time(measure), expected: 201 }
    }

    /// A closed loop of queries.
    pub const fn reading(&self, connections: usize) -> ClosedLoop {
        ClosedLoop { expected: 200, ..self.placing(connections) }
    }
}
