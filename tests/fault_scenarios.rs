//! No order or event is lost or duplicated in the most important scenarios of
//! `cargo stack chaos`, each with one seed.

use crate::harness::{DedicatedServers, Servers};
use std::env;
use std::fs;
use std::sync::Arc;
use system_tests::faults::{ServerChoice, find, run};
use tokio::sync::Mutex;

/// Only one test at a time starts servers, because each has many processes with the same name.
static DEDICATED_SERVERS: Mutex<()> = Mutex::const_new(());

const SEED: u64 = 1;

/// Runs a scenario and asserts that it finds no violation. Keeps the services' logs if it
/// does.
async fn assert_survives(name: &str) {
    let scenario = find(name).expect("a scenario of that name");
    let logs = env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&logs).unwrap();
    let _lock = if scenario.breaks_servers { Some(DEDICATED_SERVERS.lock().await) } else { None };
    let servers = if scenario.breaks_servers {
        let servers = DedicatedServers::start("test-servers", &logs).await;
        if scenario.needs_mounts && !servers.can_mount {
            println!("{name} is skipped: mounting a small disk requires root");
            return;
        }
        ServerChoice::Dedicated(Arc::new(servers))
    } else {
        ServerChoice::Shared(Servers::of_environment())
    };
    let report = run(scenario, &servers, SEED, &logs).await;
    println!("{name} with seed {SEED}: {report:?}");
    assert!(
        report.violations.is_empty(),
        "{name} with seed {SEED}: {:#?}; logs are in {}",
        report.violations,
        logs.display()
    );
    drop(servers);
    fs::remove_dir_all(logs).unwrap();
}

macro_rules! survives {
    ($($test:ident: $scenario:literal,)+) => {$(
        #[tokio::test]
        async fn $test() {
            assert_survives($scenario).await;
        }
    )+};
}

survives! {
    nothing_is_lost_by_a_kill_between_commit_and_publishing: "kill-after-commit",
    nothing_is_lost_by_a_kill_between_confirm_and_mark: "kill-after-confirm",
    nothing_is_lost_by_a_kill_between_apply_and_acknowledgement: "kill-after-apply",
    nothing_is_lost_by_a_commit_with_unknown_outcome: "unknown-commit",
    nothing_is_lost_by_kills_at_random_moments: "kill-any",
    nothing_is_lost_by_kills_while_orders_expire: "kill-during-expiry",
    nothing_is_refunded_twice: "refunds-sent-twice",
    nothing_is_lost_by_broken_links: "link-cut",
    nothing_is_lost_by_a_silent_link: "link-frozen",
    nothing_is_lost_by_a_queue_that_refuses_messages: "queue-refuses",
    nothing_is_lost_by_a_rolling_restart: "rolling-restart",
    nothing_is_lost_by_a_simultaneous_first_start: "three-start-at-once",
    nothing_is_lost_by_a_late_commit_of_an_earlier_event: "late-commit",
    nothing_is_lost_by_kills_of_all_servers_in_turn: "servers-in-turn",
    nothing_is_lost_by_full_disks_of_databases: "database-disk-full",
    nothing_is_lost_by_a_full_disk_of_the_broker: "broker-disk-full",
    nothing_is_lost_without_free_database_connections: "no-connection-left",
    nothing_is_lost_by_suspended_processes: "process-stopped",
    nothing_is_lost_by_revoked_privileges: "privileges-revoked",
    nothing_is_lost_by_wrong_clocks: "clocks-wrong",
    nothing_is_lost_by_poison_messages: "poison-messages",
}
