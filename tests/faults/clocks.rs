//! Services with wrong clocks.

use super::environment::Environment;

/// Services restart with clocks that are ahead, then behind, then right.
pub async fn wrong(environment: &mut Environment) {
    for offset in ["+10m", "-10m"] {
        let first = environment.random.usize(..3);
        for number in [first, (first + 1) % 3] {
            environment.services()[number].restart_with_clock(offset);
            environment.services()[number].healthy().await;
        }
        environment.load.wait_for_orders(50).await;
    }
    for service in environment.services() {
        service.restart_with_clock("+0");
    }
    environment.healthy().await;
}
