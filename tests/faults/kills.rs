//! SIGKILL of services at random moments.

use super::environment::Environment;

/// Random services, several times. A service may be killed again before it is healthy.
pub async fn any(environment: &mut Environment) {
    for _ in 0..environment.random.usize(4..9) {
        environment.random_delay(0..700).await;
        let service = environment.random.usize(..3);
        let downtime = environment.random.u64(0..400);
        environment.services()[service].kill();
        environment.random_delay(0..downtime + 1).await;
        environment.services()[service].restart();
    }
    environment.healthy().await;
}

/// All services at once, twice.
pub async fn all(environment: &mut Environment) {
    for _ in 0..2 {
        let orders = environment.random.usize(1..60);
        environment.load.wait_for_orders(orders).await;
        for service in environment.services() {
            service.kill();
        }
        for service in environment.services() {
            service.restart();
        }
        environment.healthy().await;
    }
}
