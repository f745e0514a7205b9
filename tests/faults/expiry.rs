//! Kills while unpaid orders are cancelled.

use super::environment::Environment;
use crate::harness::Service;

/// Number of orders that are placed before they expire.
const BACKLOG: usize = 200;

const EXPIRED: &str = "SELECT count(*) FROM orders WHERE reason = 'PAYMENT_TIMEOUT'";

/// Two command services are killed at random moments while they cancel a backlog and new orders.
pub async fn killed(environment: &mut Environment) {
    environment.load.wait_for_orders(BACKLOG).await;
    set_time_to_pay(environment, "1s");
    for kill in 0..environment.random.i64(4..8) {
        environment.wait_for_more_than(kill * 20, EXPIRED).await;
        environment.random_delay(0..150).await;
        let any = environment.random.usize(..2);
        let service = command_services(environment).swap_remove(any);
        service.kill();
        service.restart();
    }
    environment.wait_for_more_than(BACKLOG as i64 / 2, EXPIRED).await;
    // Orders must not change while they are compared.
    set_time_to_pay(environment, "");
    environment.healthy().await;
}

fn set_time_to_pay(environment: &mut Environment, timeout: &str) {
    for service in command_services(environment) {
        service.restart_with(&[("UNPAID_ORDER_TIMEOUT", timeout)]);
    }
}

fn command_services(environment: &mut Environment) -> Vec<&mut Service> {
    let mut services = environment.services();
    services.retain(|service| service.name() == "command-service");
    services
}
