//! Several consumers, of whom some fail.

use super::environment::Stage;

/// One is killed and one is stopped, with deliveries in hand, while another goes on;
/// then they come back.
pub async fn killed_and_stopped(stage: &mut Stage) {
    for _ in 0..2 {
        let mut consumers: Vec<_> = stage
            .services()
            .iter()
            .enumerate()
            .filter(|(_, service)| service.name() == "consumer-service")
            .map(|(number, _)| number)
            .collect();
        stage.random.shuffle(&mut consumers);
        let (killed, stopped) = (consumers[0], consumers[1]);
        stage.services()[stopped].signal("STOP");
        stage.load.answered(20).await;
        stage.services()[killed].kill();
        let orders = stage.random.usize(10..60);
        stage.load.answered(orders).await;
        stage.services()[stopped].signal("CONT");
        stage.services()[killed].restart();
    }
    for service in stage.services() {
        service.healthy().await;
    }
}
