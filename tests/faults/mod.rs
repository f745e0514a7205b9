//! Fault scenarios.
//!
//! A scenario starts a shop and clients, causes a fault, ends it, and lets the clients end.
//! Then no order or event may be lost or duplicated. All choices follow from a seed.

mod client;
mod clocks;
mod connections;
mod consumers;
mod disks;
mod duplicates;
mod environment;
mod expiry;
mod invariants;
mod kill_points;
mod kills;
mod late_commit;
mod ledger;
mod links;
mod load;
mod locks;
mod pauses;
mod poison;
mod privileges;
mod publishers;
mod queues;
mod refunds;
mod restarts;
mod servers;
mod unknown_outcome;

pub use environment::ServerChoice;

use crate::harness::assert_views_agree;
use environment::Environment;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use ledger::Ledger;
use load::RECOVERY_DEADLINE;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Number of orders that must be accepted before and after the fault.
const ORDERS_AROUND_FAULT: usize = 30;

/// A fault and its environment.
#[derive(Debug)]
pub struct Scenario {
    /// The name on the command line.
    pub name: &'static str,
    /// Number of replicas of each service.
    replicas: usize,
    /// Whether it breaks servers, and so needs dedicated ones.
    pub breaks_servers: bool,
    /// Whether it needs servers for which file systems can be mounted.
    pub needs_mounts: bool,
    /// Causes the fault and ends it.
    cause: Cause,
}

type Cause = for<'a> fn(&'a mut Environment) -> LocalBoxFuture<'a, ()>;

/// The result of a scenario.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of accepted orders.
    pub orders: usize,
    /// Number of repeated requests.
    pub retries: usize,
    /// Number of repeated requests with unknown outcome.
    pub unknown: usize,
    /// Time from the end of the fault until the views have caught up; none if they have not.
    pub recovery: Option<Duration>,
    /// Violated invariants.
    pub violations: Vec<String>,
}

macro_rules! scenario {
    ($name:literal, $cause:path, replicas: $replicas:literal) => {
        scenario!($name, $cause, $replicas, false, false)
    };
    ($name:literal, $cause:path, servers) => {
        scenario!($name, $cause, 1, true, false)
    };
    ($name:literal, $cause:path, small_disks) => {
        scenario!($name, $cause, 1, true, true)
    };
    ($name:literal, $cause:path) => {
        scenario!($name, $cause, 1, false, false)
    };
    ($name:literal, $cause:path, $replicas:literal, $breaks_servers:literal, $mounts:literal) => {
        Scenario {
            name: $name,
            replicas: $replicas,
            breaks_servers: $breaks_servers,
            needs_mounts: $mounts,
            cause: |environment| $cause(environment).boxed_local(),
        }
    };
}

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    scenario!("kill-after-commit", kill_points::after_commit),
    scenario!("kill-after-confirm", kill_points::after_confirm),
    scenario!("kill-after-apply", kill_points::after_apply),
    scenario!("unknown-commit", unknown_outcome::commit),
    scenario!("lost-responses", unknown_outcome::responses),
    scenario!("kill-any", kills::any),
    scenario!("kill-all", kills::all),
    scenario!("kill-during-expiry", expiry::killed, replicas: 2),
    scenario!("refunds-sent-twice", refunds::sent_twice),
    scenario!("link-cut", links::cut),
    scenario!("link-slow", links::slow),
    scenario!("link-frozen", links::frozen),
    scenario!("link-one-way", links::one_way),
    scenario!("link-half-open", links::half_open),
    scenario!("queue-deleted", queues::deleted),
    scenario!("queue-lost", queues::lost),
    scenario!("queue-refuses", queues::refusing),
    scenario!("duplicates", duplicates::shuffled),
    scenario!("poison-messages", poison::published),
    scenario!("two-publishers", publishers::failover, replicas: 2),
    scenario!("three-consumers", consumers::killed_and_stopped, replicas: 3),
    scenario!("open-transactions", locks::held),
    scenario!("late-commit", late_commit::of_a_lower_id),
    scenario!("rolling-restart", restarts::rolling, replicas: 2),
    scenario!("three-start-at-once", restarts::none, replicas: 3),
    scenario!("clocks-wrong", clocks::wrong),
    scenario!("privileges-revoked", privileges::revoked),
    scenario!("broker-stopped", servers::broker_stopped, servers),
    scenario!("broker-killed", servers::broker_killed, servers),
    scenario!("broker-memory-full", servers::broker_full, servers),
    scenario!("broker-disk-full", servers::broker_disk_full, servers),
    scenario!("database-stopped", servers::database_stopped, servers),
    scenario!("database-killed", servers::database_killed, servers),
    scenario!("database-disk-full", disks::of_databases, small_disks),
    scenario!("no-connection-left", connections::exhausted, servers),
    scenario!("process-stopped", pauses::short, servers),
    scenario!("process-stopped-long", pauses::long, servers),
    scenario!("servers-in-turn", servers::in_turn, servers),
    scenario!("all-at-once", servers::all_at_once, servers),
];

/// The scenario with a name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// Runs a scenario. The services' logs are kept in the folder, which must exist.
pub async fn run(scenario: &Scenario, servers: &ServerChoice, seed: u64, logs: &Path) -> Report {
    let ledger = Arc::new(Ledger::default());
    let running = recovery_time(scenario, servers, seed, logs, ledger.clone());
    let outcome = AssertUnwindSafe(running).catch_unwind().await;
    let mut entries = ledger.entries();
    let recovery = match outcome {
        Ok(recovery) => Some(recovery),
        Err(panic) => {
            entries.violations.push(message(panic.as_ref()));
            None
        }
    };
    Report {
        orders: entries.orders.len(),
        retries: entries.retries,
        unknown: entries.unknown,
        recovery,
        violations: std::mem::take(&mut entries.violations),
    }
}

/// Runs a scenario and returns the recovery time. Violations are recorded in the ledger or
/// cause a panic.
async fn recovery_time(
    scenario: &Scenario,
    servers: &ServerChoice,
    seed: u64,
    logs: &Path,
    ledger: Arc<Ledger>,
) -> Duration {
    let mut environment =
        Environment::start(servers, scenario.replicas, logs, ledger.clone(), seed).await;
    environment.load.wait_for_orders(ORDERS_AROUND_FAULT).await;
    (scenario.cause)(&mut environment).await;
    let ended = Instant::now();
    environment.load.wait_for_orders(ORDERS_AROUND_FAULT).await;
    environment.load.end().await;
    environment.shop.caught_up_within(RECOVERY_DEADLINE).await;
    let recovery = ended.elapsed();
    let entries = ledger.entries().clone();
    let found = invariants::violations(&environment.shop, &entries).await;
    ledger.entries().violations.extend(found);
    assert_views_agree(&environment.shop.databases).await;
    environment.stop().await;
    recovery
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
