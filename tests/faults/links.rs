//! Faults of links between services and servers.

use super::environment::Environment;
use crate::harness::{Direction, Link};
use std::time::Duration;

/// The index of a random link.
fn any(environment: &mut Environment) -> usize {
    environment.random.usize(..environment.links.all().len())
}

fn link(environment: &Environment, index: usize) -> &Link {
    environment.links.all()[index]
}

/// Random links close all connections and refuse new ones for a while, five times.
pub async fn cut(environment: &mut Environment) {
    for _ in 0..5 {
        let index = any(environment);
        link(environment, index).cut().await;
        environment.random_delay(0..1_500).await;
        link(environment, index).open().await;
        environment.random_delay(0..500).await;
    }
}

/// Each link has a random latency.
pub async fn slow(environment: &mut Environment) {
    for index in 0..environment.links.all().len() {
        let delay = Duration::from_millis(environment.random.u64(1..150));
        link(environment, index).slow(delay).await;
    }
    environment.random_delay(4_000..8_000).await;
    environment.links.open().await;
}

/// A link holds back all bytes while connections stay open, and then forwards them.
pub async fn frozen(environment: &mut Environment) {
    let index = any(environment);
    link(environment, index).freeze().await;
    environment.random_delay(3_000..14_000).await;
    link(environment, index).open().await;
}

/// A link holds back the bytes of one direction, twice.
pub async fn one_way(environment: &mut Environment) {
    for _ in 0..2 {
        let index = any(environment);
        let direction =
            if environment.random.bool() { Direction::ToServer } else { Direction::ToClient };
        link(environment, index).hold(direction).await;
        environment.random_delay(1_000..7_000).await;
        link(environment, index).open().await;
    }
}

/// The connections of all links or of one become half-open for good. New ones work.
pub async fn half_open(environment: &mut Environment) {
    if environment.random.bool() {
        for link in environment.links.all() {
            link.make_half_open().await;
        }
    } else {
        let index = any(environment);
        link(environment, index).make_half_open().await;
    }
}
