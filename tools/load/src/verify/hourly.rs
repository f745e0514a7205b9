//! Hourly sales: every window of the run's products, hour by hour.

use super::answers::WindowAnswer;
use super::reading::page;
use super::{Verification, Verified, places_by_id};
use crate::client::Connection;
use crate::created::{Fate, Placed};
use crate::expected::{Sales, add_to_products};
use crate::findings::{Finding, Verdict};
use crate::progress::Progress;
use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};

/// Windows of one answer: the most there may be.
const LIMIT: usize = 10_000;

const WHAT: &str = "hourly windows";

/// An hour under comparison.
#[derive(Debug)]
struct Hour {
    start: DateTime<Utc>,
    /// What each of the run's products sold and no window has shown yet.
    left: Vec<Sales>,
}

impl Verification<'_> {
    /// Compares the windows of all hours of the run, and of the hour after, in
    /// which there must be none.
    pub(super) async fn hourly(&self, verified: &mut Verified) -> anyhow::Result<()> {
        let times = || self.created.orders.iter().filter_map(time);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(()) };
        if self.is_over(verified) {
            return Ok(());
        }
        let progress = Progress::begin(WHAT, 0)?;
        let comparing = self.compare_hours(hour_of(first), hour_of(last), &progress);
        verified.findings.push(progress.during(comparing).await);
        Ok(())
    }

    async fn compare_hours(
        &self,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
        progress: &Progress,
    ) -> Finding {
        let places = places_by_id(&self.created.products);
        let mut finding = Finding::new(WHAT);
        let mut connection = Connection::new(self.server);
        let (mut start, mut planned) = (first, 0);
        while start <= last + TimeDelta::hours(1) && !self.drive.stop.is_asked() {
            let mut hour = Hour { start, left: self.sales_within(start) };
            planned += hour.left.iter().filter(|sales| **sales != Sales::default()).count() as u64;
            let mut cursor = None;
            loop {
                let path = hour.path(cursor.as_deref());
                let read = self.drive.stop.or_overdue(page(&mut connection, &path)).await;
                match read.unwrap_or_else(|| Err("stopped".to_owned())) {
                    Ok((windows, next)) => {
                        self.compare_page(&mut hour, &windows, &places, &mut finding);
                        cursor = next;
                    }
                    Err(why) => {
                        let verdict = Verdict::about(path);
                        finding.note(verdict.wrong(format!("cannot be read: {why}")));
                        break;
                    }
                }
                progress.set(finding.compared, planned.max(finding.compared));
                if cursor.is_none() {
                    self.compare_end(&hour, &mut finding);
                    break;
                }
            }
            start += TimeDelta::hours(1);
        }
        finding
    }

    /// Compares those of the windows that are of the run's products.
    fn compare_page(
        &self,
        hour: &mut Hour,
        windows: &[WindowAnswer],
        places: &[(i64, u32)],
        finding: &mut Finding,
    ) {
        for window in windows {
            let found = places.binary_search_by_key(&window.product_id, |(id, _)| *id);
            if let Some((_, place)) = found.ok().and_then(|found| places.get(found)) {
                let place = *place as usize;
                let sure = hour.left.get_mut(place).map(std::mem::take).unwrap_or_default();
                finding.note(self.check_window(window, hour.start, place, &sure));
            }
        }
    }

    /// Takes the end of an hour's windows.
    fn compare_end(&self, hour: &Hour, finding: &mut Finding) {
        for (place, _) in (0..).zip(&hour.left).filter(|(_, sales)| **sales != Sales::default()) {
            let id = self.created.product_id(place);
            finding.note(about(hour.start, id).wrong("is not there".to_owned()));
        }
    }

    fn check_window(
        &self,
        window: &WindowAnswer,
        hour: DateTime<Utc>,
        place: usize,
        sure: &Sales,
    ) -> Verdict {
        let shown = Sales {
            pieces: window.total_quantity,
            revenue: window.total_sales,
            orders: window.total_orders,
        };
        let doubtful = self.doubtful.products.get(place).copied().unwrap_or_default();
        about(hour, window.product_id)
            .member("windowStart", &window.window_start, &hour)
            .member("totalQuantity", &shown.pieces, &sure.pieces)
            .member("totalSales", &shown.revenue, &sure.revenue)
            .member("totalOrders", &shown.orders, &sure.orders)
            .could_be_doubt(sure.explains(&doubtful, &shown) && window.window_start == hour)
    }

    /// What each product sold within the hour, by its place.
    fn sales_within(&self, hour: DateTime<Utc>) -> Vec<Sales> {
        let mut products = vec![Sales::default(); self.created.products.len()];
        for (fate, index) in self.created.orders.iter().zip(0..) {
            if time(fate).is_some_and(|at| hour_of(at) == hour) {
                add_to_products(&mut products, &self.order(index));
            }
        }
        products
    }
}

impl Hour {
    /// Where its windows are, from the cursor on.
    fn path(&self, cursor: Option<&str>) -> String {
        let (start, end) = (shown_time(self.start), shown_time(self.start + TimeDelta::hours(1)));
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        format!("/api/analytics/hourly-sales?start={start}&end={end}&limit={LIMIT}{cursor}")
    }
}

fn about(hour: DateTime<Utc>, product_id: i64) -> Verdict {
    Verdict::about(format!("{} product {product_id}", shown_time(hour)))
}

fn time(fate: &Fate<Placed>) -> Option<DateTime<Utc>> {
    match fate {
        Fate::Made(placed) => Some(placed.at),
        Fate::Unknown | Fate::Absent => None,
    }
}

/// The beginning of the hour.
fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}

fn shown_time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_at_minute_zero() {
        let at: DateTime<Utc> = "2026-11-20T13:36:41.163432Z".parse().unwrap();
        assert_eq!(shown_time(hour_of(at)), "2026-11-20T13:00:00Z");
        assert_eq!(hour_of(hour_of(at)), hour_of(at));
    }
}
