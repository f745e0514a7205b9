//! The state of a run that all sections share.

use crate::arguments::{Arguments, Pace};
use crate::databases::Databases;
use crate::fsync;
use crate::machine;
use crate::report::Report;
use crate::servers::Servers;
use crate::shop::Shop;
use anyhow::Result;
use kit::{note, print};
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

    pub fn begin_section(&mut self, name: &str) -> Result<()> {
        note(&format!("\n{name}{}", if self.is_grown() { ", grown" } else { "" }));
        let rate = fsync::rate(&self.servers.folder)?;
        let grown = self.is_grown();
        self.report.begin(name, grown, rate);
        Ok(())
    }

    pub fn end_section(&mut self) -> Result<()> {
        self.report.end(fsync::rate(&self.servers.folder)?);
        Ok(())
    }

    /// Whether sections run on grown databases.
    pub const fn is_grown(&self) -> bool {
        self.grown.is_some()
    }

    /// A shop for a section: a new one, or that of the grown databases.
    pub async fn open_shop(&self) -> Result<Shop> {
        match &self.grown {
            Some(databases) => Shop::of(&self.servers, databases.clone()).await,
            None => Shop::open(&self.servers).await,
        }
    }

    /// Deletes the shop's databases, unless they are the grown ones.
    pub async fn close_shop(&self, shop: Shop) -> Result<()> {
        match self.grown {
            Some(_) => Ok(()),
            None => shop.databases.delete().await,
        }
    }
}
