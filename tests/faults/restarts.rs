//! Services that restart by SIGTERM or start together.

use super::environment::Environment;

/// Services restart one after the other, while their replicas work.
pub async fn rolling(environment: &mut Environment) {
    for number in 0..environment.services().len() {
        let service = environment.services().swap_remove(number);
        service.signal("TERM");
        let ended = service.wait_for_exit().await;
        assert!(ended.success(), "{} ended with {ended}", service.name());
        service.restart();
        service.healthy().await;
        environment.load.wait_for_orders(5).await;
    }
}

/// No fault: the scenario consists of the simultaneous start on empty databases.
pub async fn none(environment: &mut Environment) {
    environment.load.wait_for_orders(100).await;
}
