//! The table of percentiles.

use crate::tally::Tally;
use kit::{aligned, grouped};
use std::num::NonZeroU32;

/// The columns after the phase's name.
const COLUMNS: [&str; 10] =
    ["requests", "accepted", "failed", "unknown", "per s", "p50", "p90", "p99", "p99.9", "max"];

/// Maximum number of reasons printed of a phase.
const MOST_REASONS: usize = 10;

/// Maximum number of seconds between the time when the last request was due and its response.
const LATE: f64 = 0.5;

/// The phases' counts, rates and latencies (ms), and why requests were not
/// accepted.
pub fn table(tallies: &[Tally]) -> String {
    let head = std::iter::once("").chain(COLUMNS).map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(tallies.iter().map(row)).collect();
    let mut lines: Vec<String> = aligned(&rows, 0).iter().map(|row| row.join("  ")).collect();
    lines.extend(tallies.iter().flat_map(reasons));
    lines.join("\n")
}

/// Explains the latencies of the table.
pub fn meaning_of_latencies(rate: Option<NonZeroU32>, concurrency: u16) -> String {
    match rate {
        Some(rate) => format!(
            "Open loop, {} requests/s, at most {concurrency} at once: latencies (ms) are of all \
             requests, from the time when each was due to the end of its response.",
            grouped(rate.get().into())
        ),
        None => format!(
            "Closed loop, {concurrency} requests at a time, the next one after each response: \
             latencies (ms) are of all requests, from sending to the end of the response."
        ),
    }
}

/// A text for each phase that was slower than the rate: its last response came late.
pub fn too_slow(tallies: &[Tally], rate: Option<NonZeroU32>) -> Vec<String> {
    let Some(rate) = rate else { return Vec::new() };
    let scheduled = f64::from(rate.get());
    let is_behind = |tally: &&Tally| {
        tally.took.as_secs_f64() > 1.05 * tally.requests() as f64 / scheduled + LATE
    };
    let text = |tally: &Tally| {
        format!(
            "{}: {} requests/s arrived, {} were done: latencies include the wait for a free \
             connection.",
            tally.name,
            grouped(scheduled as u64),
            grouped(tally.rate() as u64)
        )
    };
    tallies.iter().filter(is_behind).map(text).collect()
}

fn row(tally: &Tally) -> Vec<String> {
    let latencies = &tally.latencies;
    let quantiles = [0.5, 0.9, 0.99, 0.999].map(|quantile| latencies.quantile(quantile));
    let counts = [tally.requests(), tally.accepted, tally.failed, tally.unknown];
    std::iter::once(tally.name.to_owned())
        .chain(counts.map(grouped))
        .chain([grouped(tally.rate().round() as u64)])
        .chain(quantiles.into_iter().chain([latencies.max()]).map(milliseconds))
        .collect()
}

fn milliseconds(latency: f64) -> String {
    if latency < 10.0 { format!("{latency:.2}") } else { format!("{latency:.1}") }
}

fn reasons(tally: &Tally) -> Vec<String> {
    let mut reasons: Vec<_> = tally.reasons.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let shown = reasons.iter().take(MOST_REASONS);
    let lines = shown.map(|(why, count)| format!("{}: {} × {why}", tally.name, grouped(**count)));
    let more = reasons.len().saturating_sub(MOST_REASONS);
    lines.chain((more > 0).then(|| format!("{}: {more} more reasons", tally.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::NotAccepted;
    use std::time::Duration;

    fn tally() -> Tally {
        let mut tally = Tally { name: "orders", ..Tally::default() };
        for millisecond in 1..=1_000 {
            tally.count(Ok(()), Duration::from_millis(millisecond));
        }
        let busy = NotAccepted::Failed("503 Service busy".to_owned());
        tally.count(Err(busy), Duration::from_millis(2));
        tally.took = Duration::from_secs(2);
        tally
    }

    #[test]
    fn the_table_has_counts_rates_and_percentiles() {
        assert_eq!(
            table(&[Tally { name: "users", ..Tally::default() }, tally()])
                .lines()
                .collect::<Vec<_>>(),
            [
                "        requests  accepted  failed  unknown  per s    p50    p90    p99  p99.9     max",
                "users          0         0       0        0      0   0.00   0.00   0.00   0.00    0.00",
                "orders     1,001     1,000       1        0    501  500.2  900.1  990.2  999.4  1000.4",
                "orders: 1 × 503 Service busy",
            ]
        );
    }

    #[test]
    fn a_phase_that_is_slower_than_its_rate_is_named() {
        let slow = too_slow(&[tally()], NonZeroU32::new(1_000));
        assert_eq!(slow.len(), 1);
        assert!(slow[0].starts_with("orders: 1,000 requests/s arrived, 500 were done"));
        assert!(too_slow(&[tally()], NonZeroU32::new(600)).is_empty());
        assert!(too_slow(&[tally()], None).is_empty());
    }
}
