//! Clocks of services that are wrong by minutes.

use super::environment::Stage;

/// Services restart with clocks that are ahead or behind, then with right ones.
pub async fn wrong(stage: &mut Stage) {
    for by in ["+10m", "-10m"] {
        let first = stage.random.usize(..3);
        for number in [first, (first + 1) % 3] {
            stage.services()[number].restart_with_clock(by);
            stage.services()[number].healthy().await;
        }
        stage.load.answered(50).await;
    }
    for service in stage.services() {
        service.restart_with_clock("+0");
        service.healthy().await;
    }
}
