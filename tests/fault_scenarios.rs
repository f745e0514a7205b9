//! Whatever dies, nothing is lost and nothing is doubled: the scenarios of
//! `cargo stack chaos` that show most, each with one seed.

use crate::harness::{DedicatedServers, Servers};
use std::env;
use std::fs;
use std::sync::Arc;
use system_tests::faults::{Place, named, play};
use tokio::sync::Mutex;

static OWN_SERVERS: Mutex<()> = Mutex::const_new(());

/// Plays a scenario; leaves the services' logs if it fails.
async fn survives(name: &str, seed: u64) {
    let scenario = named(name).expect("a scenario of that name");
    let logs = env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&logs).unwrap();
    // One at a time, because they have many processes with the same name.
    let _own = if scenario.breaks_servers { Some(OWN_SERVERS.lock().await) } else { None };
    let place = if scenario.breaks_servers {
        let servers = DedicatedServers::start("test-servers", &logs).await;
        if scenario.mounts && !servers.can_mount {
            println!("{name} is skipped: it needs root, to mount a small disk");
            return;
        }
        Place::Own(Arc::new(servers))
    } else {
        Place::Shared(Servers::of_environment())
    };
    let report = play(scenario, &place, seed, &logs).await;
    println!("{name} with seed {seed}: {report:?}");
    assert!(
        report.violations.is_empty(),
        "{name} with seed {seed}: {:#?}; logs are in {}",
        report.violations,
        logs.display()
    );
    drop(place);
    fs::remove_dir_all(logs).unwrap();
}

#[tokio::test]
async fn a_command_service_killed_between_commit_and_publishing() {
    survives("kill-after-commit", 1).await;
}

#[tokio::test]
async fn a_command_service_killed_between_confirm_and_mark() {
    survives("kill-after-confirm", 1).await;
}

#[tokio::test]
async fn a_consumer_service_killed_between_commit_and_acknowledgement() {
    survives("kill-after-apply", 1).await;
}

#[tokio::test]
async fn a_commit_of_unknown_outcome() {
    survives("unknown-commit", 1).await;
}

#[tokio::test]
async fn services_killed_at_any_moment() {
    survives("kill-any", 1).await;
}

#[tokio::test]
async fn links_that_are_cut() {
    survives("link-cut", 1).await;
}

#[tokio::test]
async fn a_link_that_falls_silent() {
    survives("link-frozen", 1).await;
}

#[tokio::test]
async fn a_queue_that_refuses_messages() {
    survives("queue-refuses", 1).await;
}

#[tokio::test]
async fn a_rolling_restart() {
    survives("rolling-restart", 1).await;
}

#[tokio::test]
async fn three_of_each_service_that_start_together() {
    survives("three-boot-at-once", 1).await;
}

#[tokio::test]
async fn a_late_commit_of_an_earlier_event() {
    survives("late-commit", 1).await;
}

#[tokio::test]
async fn servers_killed_one_after_the_other() {
    survives("servers-in-turn", 1).await;
}

#[tokio::test]
async fn full_disks_of_databases() {
    survives("database-disk-full", 1).await;
}

#[tokio::test]
async fn a_full_disk_of_the_broker() {
    survives("broker-disk-full", 1).await;
}

#[tokio::test]
async fn database_servers_without_a_free_connection() {
    survives("no-connection-left", 1).await;
}

#[tokio::test]
async fn processes_that_stop_for_a_while() {
    survives("process-stopped", 1).await;
}

#[tokio::test]
async fn rights_that_are_revoked_and_granted_again() {
    survives("rights-revoked", 1).await;
}

#[tokio::test]
async fn clocks_that_are_wrong_by_minutes() {
    survives("clocks-wrong", 1).await;
}

#[tokio::test]
async fn messages_that_amqp_libraries_cannot_read() {
    survives("poison-messages", 1).await;
}
