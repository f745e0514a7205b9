//! Services that are stopped in good order, and that start together.

use super::environment::Stage;

/// Every service is restarted, one after the other, while its twin goes on.
pub async fn rolling(stage: &mut Stage) {
    for number in 0..stage.services().len() {
        let service = stage.services().swap_remove(number);
        service.signal("TERM");
        let ended = service.wait_for_exit().await;
        assert!(ended.success(), "{} ended with {ended}", service.name());
        service.restart();
        service.healthy().await;
        stage.load.answered(5).await;
    }
}

/// Nothing: that all have started together on empty databases is enough.
pub async fn none(stage: &mut Stage) {
    stage.load.answered(100).await;
}
