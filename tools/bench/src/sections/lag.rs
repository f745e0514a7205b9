//! The time until an order is visible, at constant arrival rates.

use crate::drive::OpenLoop;
use crate::measured::Measured;
use crate::report::{Report, Row, Target, Unit};
use crate::requests::{PRODUCTS, order_id};
use crate::service::Service;
use crate::session::Session;
use crate::shop::{Shop, new_orders};
use crate::visibility::{Seen, Watch};
use anyhow::Result;
use kit::Progress;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// A rate, its duration (usual and quick), and the targets for the milliseconds between the
/// response to an order and its visibility.
struct Case {
    name: &'static str,
    per_second: u32,
    seconds: (u64, u64),
    /// Time between two reads of the view. Reads take processor time, up to a tenth of two
    /// cores, so it is longer at high rates.
    pause: Duration,
    p50: Option<f64>,
    p99: f64,
}

const CASES: [Case; 3] = [
    Case {
        name: "idle (10/s)",
        per_second: 10,
        seconds: (20, 5),
        pause: Duration::from_micros(500),
        p50: Some(10.0),
        p99: 20.0,
    },
    Case {
        name: "1,000/s",
        per_second: 1_000,
        seconds: (30, 5),
        pause: Duration::from_millis(1),
        p50: None,
        p99: 30.0,
    },
    Case {
        name: "4,000/s",
        per_second: 4_000,
        seconds: (30, 5),
        pause: Duration::from_millis(2),
        p50: None,
        p99: 60.0,
    },
];

struct Accepted {
    id: i64,
    due: Instant,
    responded: Instant,
}

/// Measures each rate in turn.
pub async fn run(session: &mut Session) -> Result<()> {
    let shop = session.open_shop().await?;
    let mut pipeline = shop.start_pipeline().await?;
    let _query = shop.start_query().await?;
    for case in &CASES {
        measure(session, &shop, case, &mut pipeline.command).await?;
        shop.caught_up().await?;
    }
    drop(pipeline);
    session.close_shop(shop).await
}

async fn measure(
    session: &mut Session,
    shop: &Shop,
    case: &Case,
    command: &mut Service,
) -> Result<()> {
    let per_second = NonZeroU32::new(case.per_second).unwrap_or(NonZeroU32::MIN);
    let duration = session.pace.seconds(case.seconds.0, case.seconds.1);
    let address = command.address("api").await?;
    let placing = OpenLoop { address, per_second, duration, expected: 201 };
    let watch = Watch::begin(shop.databases.read.options.clone(), case.pause);
    let (mut orders, mut accepted) = (new_orders(PRODUCTS), Vec::new());
    let note = |due, responded, body: &[u8]| {
        accepted.extend(order_id(body).map(|id| Accepted { id, due, responded }));
    };
    let progress = Progress::begin(&format!("orders at {}", case.name), 0);
    let placed = progress.during(placing.run(|request| orders.write(request), note)).await?;
    let last = accepted.iter().map(|order| order.id).max().unwrap_or(0);
    let seen = watch.until(last).await?;
    add_rows(&mut session.report, case, &placed, &Delays::of(&accepted, &seen));
    Ok(())
}

/// Delays until visible, in milliseconds, ascending.
struct Delays {
    from_response: Vec<f64>,
    from_due: Vec<f64>,
}

impl Delays {
    fn of(accepted: &[Accepted], seen: &Seen) -> Self {
        let sorted = |since: fn(&Accepted) -> Instant| {
            let delay = |order: &Accepted| {
                let delay = seen.since(order.id)?.saturating_duration_since(since(order));
                Some(milliseconds(delay))
            };
            let mut delays: Vec<f64> = accepted.iter().filter_map(delay).collect();
            delays.sort_by(f64::total_cmp);
            delays
        };
        Self { from_response: sorted(|order| order.responded), from_due: sorted(|order| order.due) }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// A quantile of ascending values.
fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

fn add_rows(report: &mut Report, case: &Case, placed: &Measured, delays: &Delays) {
    let name = case.name;
    let mut add = |what: &str, figure: f64, most: Option<f64>| {
        let row = Row::new(format!("{name}, {what}"), figure, Unit::Milliseconds);
        report.add(Row { target: most.map(Target::AtMost), ..row }.flagged(placed.flag()));
    };
    let response = &delays.from_response;
    add("response to visible, p50", quantile(response, 0.5), case.p50);
    add("response to visible, p99", quantile(response, 0.99), Some(case.p99));
    add("response to visible, max", quantile(response, 1.0), None);
    let due = &delays.from_due;
    add("due to visible, p50", quantile(due, 0.5), None);
    add("due to visible, p99", quantile(due, 0.99), None);
    add("due to visible, max", quantile(due, 1.0), None);
    add("POST latency, p50", placed.quantile(0.5), None);
    add("POST latency, p99", placed.quantile(0.99), None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), 100.0);
        assert_eq!(quantile(&values, 0.99), 198.0);
        assert_eq!(quantile(&values, 1.0), 200.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
