//! Two publishers, one of which leads.

use super::environment::Environment;

/// The leader loses its database connection and with it the lead, eight times.
pub async fn failover(environment: &mut Environment) {
    for _ in 0..8 {
        let terminate = "SELECT count(pg_terminate_backend(pid))
                        FROM pg_locks
                        JOIN pg_stat_activity USING (pid)
                        WHERE locktype = 'advisory' AND datname = current_database()
                            AND application_name = 'command-service publisher'";
        environment.wait_for_more_than(0, terminate).await;
        let orders = environment.random.usize(1..40);
        environment.load.wait_for_orders(orders).await;
    }
}
