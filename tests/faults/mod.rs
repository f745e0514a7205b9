//! Faults, and whether a shop survives them.
//!
//! A scenario opens a shop of its own, lets clients in, breaks something from
//! outside, mends it, and lets the clients end. Then nothing may be lost and nothing
//! doubled. All choices follow from a seed.

mod client;
mod clocks;
mod connections;
mod consumers;
mod disks;
mod duplicates;
mod environment;
mod invariants;
mod kill_points;
mod kills;
mod late_commit;
mod ledger;
mod links;
mod load;
mod open_transactions;
mod pauses;
mod poison;
mod privileges;
mod publishers;
mod queues;
mod restarts;
mod servers;
mod unknown_outcome;

pub use environment::Place;

use environment::Stage;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use ledger::Ledger;
use load::PATIENCE;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::harness::assert_views_agree;

/// How many orders are placed before and after what breaks.
const ORDERS_AROUND: usize = 30;

/// Something that may happen to a shop.
#[derive(Debug)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// How many services of each sort there are.
    replicas: usize,
    /// Whether it breaks servers, and so needs its own.
    pub breaks_servers: bool,
    /// Whether it needs servers that can mount file systems.
    pub mounts: bool,
    /// Breaks something and mends it.
    act: for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, ()>,
}

/// What became of a shop.
#[derive(Debug, Default)]
pub struct Report {
    /// Orders that were answered 201.
    pub orders: usize,
    /// Requests that were sent again.
    pub retries: usize,
    /// Requests of which nobody knew whether they took effect.
    pub unknown: usize,
    /// From the end of the fault until all was caught up; none if that never was.
    pub recovery: Option<Duration>,
    /// What must not be.
    pub violations: Vec<String>,
}

/// Every scenario.
pub const SCENARIOS: &[Scenario] = &[
    on_services("kill-after-commit", 1, |stage| kill_points::after_commit(stage).boxed_local()),
    on_services("kill-after-confirm", 1, |stage| kill_points::after_confirm(stage).boxed_local()),
    on_services("kill-after-apply", 1, |stage| kill_points::after_apply(stage).boxed_local()),
    on_services("unknown-commit", 1, |stage| unknown_outcome::of_commit(stage).boxed_local()),
    on_services("lost-responses", 1, |stage| unknown_outcome::of_answers(stage).boxed_local()),
    on_services("kill-any", 1, |stage| kills::any(stage).boxed_local()),
    on_services("kill-all", 1, |stage| kills::all(stage).boxed_local()),
    on_services("link-cut", 1, |stage| links::cut(stage).boxed_local()),
    on_services("link-slow", 1, |stage| links::slow(stage).boxed_local()),
    on_services("link-frozen", 1, |stage| links::frozen(stage).boxed_local()),
    on_services("link-one-way", 1, |stage| links::one_way(stage).boxed_local()),
    on_services("link-stranded", 1, |stage| links::stranded(stage).boxed_local()),
    on_services("queue-deleted", 1, |stage| queues::deleted(stage).boxed_local()),
    on_services("queue-lost", 1, |stage| queues::lost(stage).boxed_local()),
    on_services("queue-refuses", 1, |stage| queues::refusing(stage).boxed_local()),
    on_services("duplicates", 1, |stage| duplicates::shuffled(stage).boxed_local()),
    on_services("poison-messages", 1, |stage| poison::published(stage).boxed_local()),
    on_services("two-publishers", 2, |stage| publishers::deposed(stage).boxed_local()),
    on_services("three-consumers", 3, |stage| consumers::killed_and_stopped(stage).boxed_local()),
    on_services("open-transactions", 1, |stage| open_transactions::held(stage).boxed_local()),
    on_services("late-commit", 1, |stage| late_commit::of_a_lower_id(stage).boxed_local()),
    on_services("rolling-restart", 2, |stage| restarts::rolling(stage).boxed_local()),
    on_services("three-boot-at-once", 3, |stage| restarts::none(stage).boxed_local()),
    on_services("clocks-wrong", 1, |stage| clocks::wrong(stage).boxed_local()),
    on_services("rights-revoked", 1, |stage| privileges::revoked(stage).boxed_local()),
    on_servers("broker-stopped", |stage| servers::broker_stopped(stage).boxed_local()),
    on_servers("broker-killed", |stage| servers::broker_killed(stage).boxed_local()),
    on_servers("broker-full", |stage| servers::broker_full(stage).boxed_local()),
    on_servers("broker-disk-full", |stage| servers::broker_disk_full(stage).boxed_local()),
    on_servers("database-stopped", |stage| servers::database_stopped(stage).boxed_local()),
    on_servers("database-killed", |stage| servers::database_killed(stage).boxed_local()),
    on_small_disks("database-disk-full", |stage| disks::of_databases(stage).boxed_local()),
    on_servers("no-connection-left", |stage| connections::used_up(stage).boxed_local()),
    on_servers("process-stopped", |stage| pauses::short(stage).boxed_local()),
    on_servers("process-stopped-long", |stage| pauses::long(stage).boxed_local()),
    on_servers("servers-in-turn", |stage| servers::in_turn(stage).boxed_local()),
    on_servers("all-at-once", |stage| servers::all_at_once(stage).boxed_local()),
];

type Act = for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, ()>;

const fn on_services(name: &'static str, replicas: usize, act: Act) -> Scenario {
    Scenario { name, replicas, breaks_servers: false, mounts: false, act }
}

const fn on_servers(name: &'static str, act: Act) -> Scenario {
    Scenario { name, replicas: 1, breaks_servers: true, mounts: false, act }
}

const fn on_small_disks(name: &'static str, act: Act) -> Scenario {
    Scenario { name, replicas: 1, breaks_servers: true, mounts: true, act }
}

/// The scenario of that name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// Plays a scenario. The services' logs are left in the folder, which must be there.
pub async fn play(scenario: &Scenario, place: &Place, seed: u64, logs: &Path) -> Report {
    let ledger = Arc::new(Ledger::default());
    let playing = perform(scenario, place, seed, logs, ledger.clone());
    let outcome = AssertUnwindSafe(playing).catch_unwind().await;
    let mut books = ledger.books();
    let recovery = match outcome {
        Ok(recovery) => Some(recovery),
        Err(panic) => {
            books.violations.push(message(panic.as_ref()));
            None
        }
    };
    Report {
        orders: books.orders.len(),
        retries: books.retries,
        unknown: books.unknown,
        recovery,
        violations: std::mem::take(&mut books.violations),
    }
}

/// Gives the time of recovery. Panics, or notes in the ledger, what must not be.
async fn perform(
    scenario: &Scenario,
    place: &Place,
    seed: u64,
    logs: &Path,
    ledger: Arc<Ledger>,
) -> Duration {
    let mut stage = Stage::set(place, scenario.replicas, logs, ledger.clone(), seed).await;
    stage.load.answered(ORDERS_AROUND).await;
    (scenario.act)(&mut stage).await;
    let mended = Instant::now();
    stage.load.answered(ORDERS_AROUND).await;
    stage.load.end().await;
    stage.shop.caught_up_within(PATIENCE).await;
    let recovery = mended.elapsed();
    let books = ledger.books().clone();
    let found = invariants::violations(&stage.shop, &books).await;
    ledger.books().violations.extend(found);
    assert_views_agree(&stage.shop.databases).await;
    stage.close().await;
    recovery
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
