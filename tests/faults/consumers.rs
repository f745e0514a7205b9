//! Failing consumers beside a working one.

use super::environment::Environment;

/// One consumer is killed and one is suspended, both with unacknowledged deliveries, while
/// another one works. Then both continue.
pub async fn killed_and_stopped(environment: &mut Environment) {
    for _ in 0..2 {
        let mut consumers: Vec<_> = environment
            .services()
            .iter()
            .enumerate()
            .filter(|(_, service)| service.name() == "consumer-service")
            .map(|(number, _)| number)
            .collect();
        environment.random.shuffle(&mut consumers);
        let (killed, suspended) = (consumers[0], consumers[1]);
        environment.services()[suspended].signal("STOP");
        environment.load.wait_for_orders(20).await;
        environment.services()[killed].kill();
        let orders = environment.random.usize(10..60);
        environment.load.wait_for_orders(orders).await;
        environment.services()[suspended].signal("CONT");
        environment.services()[killed].restart();
    }
    environment.healthy().await;
}
