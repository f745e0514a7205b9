//! Links between services and servers that break, slow down, or fall silent.

use super::environment::Stage;
use crate::harness::{Direction, Link};
use std::time::Duration;

/// A link that the seed chooses.
fn any(stage: &mut Stage) -> usize {
    stage.random.usize(..stage.links.all().len())
}

fn link(stage: &Stage, number: usize) -> &Link {
    stage.links.all()[number].1
}

/// Connections break and are refused for a while, some times.
pub async fn cut(stage: &mut Stage) {
    for _ in 0..5 {
        let number = any(stage);
        link(stage, number).cut().await;
        stage.for_a_while(0..1_500).await;
        link(stage, number).open().await;
        stage.for_a_while(0..500).await;
    }
}

/// All links are slow, each by its own measure.
pub async fn slow(stage: &mut Stage) {
    for number in 0..stage.links.all().len() {
        let delay = Duration::from_millis(stage.random.u64(1..150));
        link(stage, number).slow(delay).await;
    }
    stage.for_a_while(4_000..8_000).await;
    stage.links.open().await;
}

/// Nothing passes while connections stay up; then everything does, late.
pub async fn frozen(stage: &mut Stage) {
    let number = any(stage);
    link(stage, number).freeze().await;
    stage.for_a_while(3_000..14_000).await;
    link(stage, number).open().await;
}

/// Nothing passes one way while connections stay up.
pub async fn one_way(stage: &mut Stage) {
    for _ in 0..2 {
        let (number, way) = (
            any(stage),
            if stage.random.bool() { Direction::ToServer } else { Direction::ToClient },
        );
        link(stage, number).hold(way).await;
        stage.for_a_while(1_000..7_000).await;
        link(stage, number).open().await;
    }
}

/// The connections there are will never pass anything again, and nobody is told; new
/// ones do. Of all links, or of one.
pub async fn stranded(stage: &mut Stage) {
    if stage.random.bool() {
        for (_, link) in stage.links.all() {
            link.strand().await;
        }
    } else {
        let number = any(stage);
        link(stage, number).strand().await;
    }
}
