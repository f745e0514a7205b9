//! The table of percentiles.

use crate::tally::Tally;
use std::num::NonZeroU32;

/// Columns after the phase's name.
const COLUMNS: [&str; 10] =
    ["requests", "accepted", "failed", "unknown", "per s", "p50", "p90", "p99", "p99.9", "max"];

/// Most reasons shown of a phase.
const MOST_REASONS: usize = 10;

/// Seconds that the last answer may come after its request was due.
const LATE: f64 = 0.5;

/// Microseconds per millisecond.
const MICROS: f64 = 1_000.0;

/// The phases' counts, rates and latencies (ms), and why requests were not
/// accepted.
pub fn table(tallies: &[Tally]) -> String {
    let head = std::iter::once("").chain(COLUMNS).map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(tallies.iter().map(row)).collect();
    let width = |column: usize| {
        rows.iter().flat_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..=COLUMNS.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| aligned(row, &widths)).collect();
    lines.extend(tallies.iter().flat_map(reasons));
    lines.join("\n")
}

/// What the latencies of the table mean.
pub fn meaning_of_latencies(rate: Option<NonZeroU32>, concurrency: u16) -> String {
    match rate {
        Some(rate) => format!(
            "Open loop, {} requests/s, at most {concurrency} at once: latencies (ms) are of all \
             requests, from the moment each was due to the end of its answer.",
            grouped(rate.get().into())
        ),
        None => format!(
            "Closed loop, {concurrency} requests at a time as fast as they are answered: latencies \
             (ms) are of all requests, from sending to the end of the answer."
        ),
    }
}

/// The phases that could not keep to the rate: whose last answer came late.
pub fn too_slow(tallies: &[Tally], rate: Option<NonZeroU32>) -> Vec<String> {
    let Some(rate) = rate else { return Vec::new() };
    let wanted = f64::from(rate.get());
    let is_behind =
        |tally: &&Tally| tally.took.as_secs_f64() > 1.05 * tally.requests() as f64 / wanted + LATE;
    let text = |tally: &Tally| {
        format!(
            "{}: {} requests/s were to arrive, {} were done: latencies include the queue before \
             the connections.",
            tally.name,
            grouped(wanted as u64),
            grouped(tally.rate() as u64)
        )
    };
    tallies.iter().filter(is_behind).map(text).collect()
}

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn row(tally: &Tally) -> Vec<String> {
    let latencies = &tally.latencies;
    let quantiles = [0.5, 0.9, 0.99, 0.999].map(|q| latencies.value_at_quantile(q));
    let counts = [tally.requests(), tally.accepted, tally.failed, tally.unknown];
    std::iter::once(tally.name.to_owned())
        .chain(counts.map(grouped))
        .chain([grouped(tally.rate().round() as u64)])
        .chain(quantiles.into_iter().chain([latencies.max()]).map(milliseconds))
        .collect()
}

fn milliseconds(micros: u64) -> String {
    let milliseconds = micros as f64 / MICROS;
    if micros < 10_000 { format!("{milliseconds:.2}") } else { format!("{milliseconds:.1}") }
}

/// The first cell to the left, the others to the right.
fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, &width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ")
}

fn reasons(tally: &Tally) -> Vec<String> {
    let mut reasons: Vec<_> = tally.reasons.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = reasons.len().saturating_sub(MOST_REASONS);
    let shown = reasons.iter().take(MOST_REASONS);
    let mut lines: Vec<String> =
        shown.map(|(why, count)| format!("{}: {} × {why}", tally.name, grouped(**count))).collect();
    if more > 0 {
        lines.push(format!("{}: {more} more reasons", tally.name));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use std::time::Duration;

    fn tally() -> Tally {
        let mut tally = Tally::new("orders").unwrap();
        for millisecond in 1..=1_000 {
            tally.count(Outcome::Accepted, Duration::from_millis(millisecond));
        }
        tally.count(Outcome::Failed("503 Service busy".to_owned()), Duration::from_millis(2));
        tally.took = Duration::from_secs(2);
        tally
    }

    #[test]
    fn the_table_has_counts_rates_and_percentiles() {
        assert_eq!(
            table(&[Tally::new("users").unwrap(), tally()]).lines().collect::<Vec<_>>(),
            [
                "        requests  accepted  failed  unknown  per s    p50    p90    p99  p99.9     max",
                "users          0         0       0        0      0   0.00   0.00   0.00   0.00    0.00",
                "orders     1,001     1,000       1        0    501  500.2  900.1  990.2  999.4  1000.4",
                "orders: 1 × 503 Service busy",
            ]
        );
    }

    #[test]
    fn a_phase_that_falls_behind_its_rate_is_named() {
        let slow = too_slow(&[tally()], NonZeroU32::new(1_000));
        assert_eq!(slow.len(), 1);
        assert!(slow[0].starts_with("orders: 1,000 requests/s were to arrive, 500 were done"));
        assert!(too_slow(&[tally()], NonZeroU32::new(600)).is_empty());
        assert!(too_slow(&[tally()], None).is_empty());
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (30_000_000, "30,000,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
