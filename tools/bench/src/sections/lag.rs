//! The time until an order is visible, at constant arrival rates.

use crate::drive::place_at_rate;
use crate::measured::Measured;
use crate::report::{Report, Row, Target, Unit};
use crate::requests::{PRODUCTS, order_id, orders};
use crate::service::Service;
use crate::session::Session;
use crate::shop::Shop;
use crate::visibility::{Seen, Watch};
use anyhow::Result;
use kit::{Latencies, shown};
use std::time::{Duration, Instant};

/// The duration of each rate with `--quick`, in seconds.
const QUICK_SECONDS: u64 = 5;

/// A rate, its usual duration, and the targets for the milliseconds between the response to an
/// order and its visibility.
struct Case {
    name: &'static str,
    rate: u32,
    seconds: u64,
    /// Microseconds between two reads of the view. Reads take processor time, up to a tenth of
    /// two cores, so it is longer at high rates.
    pause: u64,
    p50: Option<f64>,
    p99: f64,
}

const CASES: [Case; 3] = [
    Case { name: "idle (10/s)", rate: 10, seconds: 20, pause: 500, p50: Some(10.0), p99: 20.0 },
    Case { name: "1,000/s", rate: 1_000, seconds: 30, pause: 1_000, p50: None, p99: 30.0 },
    Case { name: "4,000/s", rate: 4_000, seconds: 30, pause: 2_000, p50: None, p99: 60.0 },
];

struct Accepted {
    id: i64,
    due: Instant,
    responded: Instant,
}

/// Measures each rate in turn.
pub async fn run(session: &mut Session, shop: &Shop) -> Result<()> {
    let mut pipeline = shop.start_pipeline().await?;
    let _query = shop.spawn_query()?.healthy().await?;
    for case in &CASES {
        measure(session, shop, case, &mut pipeline.command).await?;
        shop.caught_up().await?;
    }
    Ok(())
}

async fn measure(
    session: &mut Session,
    shop: &Shop,
    case: &Case,
    command: &mut Service,
) -> Result<()> {
    let duration = session.pace.seconds(case.seconds, QUICK_SECONDS);
    let pause = Duration::from_micros(case.pause);
    let watch = Watch::begin(shop.databases.read.options.clone(), pause);
    let mut accepted = Vec::new();
    let note = |due, responded, body: &[u8]| {
        accepted.extend(order_id(body).map(|id| Accepted { id, due, responded }));
    };
    let placing = place_at_rate(command, case.rate, duration, orders(PRODUCTS), note);
    let placed = shown(&format!("orders at {}", case.name), placing).await?;
    let last = accepted.iter().map(|order| order.id).max().unwrap_or(0);
    let seen = watch.until(last).await?;
    let from_response = delays(&accepted, &seen, |order| order.responded);
    let from_due = delays(&accepted, &seen, |order| order.due);
    add_rows(&mut session.report, case, &placed, &from_response, &from_due);
    Ok(())
}

/// The delay of each order from `since` until it was visible.
fn delays(accepted: &[Accepted], seen: &Seen, since: fn(&Accepted) -> Instant) -> Latencies {
    let mut delays = Latencies::default();
    for order in accepted {
        if let Some(visible) = seen.since(order.id) {
            delays.record(visible.saturating_duration_since(since(order)));
        }
    }
    delays
}

fn add_rows(
    report: &mut Report,
    case: &Case,
    placed: &Measured,
    from_response: &Latencies,
    from_due: &Latencies,
) {
    let name = case.name;
    for (what, latencies, p50, p99) in [
        ("response to visible", from_response, case.p50, Some(case.p99)),
        ("due to visible", from_due, None, None),
        ("POST latency", &placed.latencies, None, None),
    ] {
        let mut add = |figure: &str, milliseconds: f64, most: Option<f64>| {
            let what = format!("{name}, {what}, {figure}");
            let row = Row::new(what, milliseconds, Unit::Milliseconds).flagged(placed.flag());
            report.add(Row { target: most.map(Target::Figure), ..row });
        };
        add("p50", latencies.quantile(0.5), p50);
        add("p99", latencies.quantile(0.99), p99);
        add("max", latencies.max(), None);
    }
}
