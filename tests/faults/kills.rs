//! SIGKILL of services at moments that the seed chooses.

use super::environment::Stage;

/// Any service, some times. Its successor may be killed before it is well.
pub async fn any(stage: &mut Stage) {
    for _ in 0..stage.random.usize(4..9) {
        stage.for_a_while(0..700).await;
        let service = stage.random.usize(..3);
        let away = stage.random.u64(0..400);
        stage.services()[service].kill();
        stage.for_a_while(0..away + 1).await;
        stage.services()[service].restart();
    }
    all_well(stage).await;
}

/// All services at once, as when the machine fails.
pub async fn all(stage: &mut Stage) {
    for _ in 0..2 {
        let orders = stage.random.usize(1..60);
        stage.load.answered(orders).await;
        for service in stage.services() {
            service.kill();
        }
        for service in stage.services() {
            service.restart();
        }
        all_well(stage).await;
    }
}

async fn all_well(stage: &mut Stage) {
    for service in stage.services() {
        service.healthy().await;
    }
}
