//! Whatever dies, nothing is lost and nothing is doubled: the scenarios of
//! `cargo stack chaos` that show most, each with one seed.

use crate::harness::{OwnServers, Servers};
use std::env;
use std::fs;
use std::sync::Arc;
use system_tests::faults::{Place, named, play};

/// Plays a scenario; leaves the services' logs if it fails.
async fn survives(name: &str, seed: u64) {
    let scenario = named(name).expect("a scenario of that name");
    let logs = env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4()));
    fs::create_dir(&logs).unwrap();
    let place = if scenario.breaks_servers {
        Place::Own(Arc::new(OwnServers::start("test-servers", &logs).await))
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
