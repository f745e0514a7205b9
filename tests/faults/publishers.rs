//! Two publishers, of whom one leads.

use super::environment::Stage;

/// The leader loses its database connection, and with it the lead, again and again.
pub async fn deposed(stage: &mut Stage) {
    for _ in 0..8 {
        let deposing = "SELECT count(pg_terminate_backend(pid))
                        FROM pg_locks
                        JOIN pg_stat_activity USING (pid)
                        WHERE locktype = 'advisory' AND datname = current_database()
                            AND application_name = 'command-service publisher'";
        stage.written_above(0, deposing).await;
        let orders = stage.random.usize(1..40);
        stage.load.answered(orders).await;
    }
}
