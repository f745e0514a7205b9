//! Verification of a run: every sum of its products, categories and customers, and samples
//! of its users, products and orders.
//!
//! A lost or duplicated order or refund changes the sums of its products and its customer.
//! `cargo stack verify` compares every row and column.

use crate::bodies::{self, Product, User};
use crate::client::Connection;
use crate::created::{Created, Placed};
use crate::expected::{Bounds, Expected, Hours, Sums};
use crate::findings::{Compared, Finding};
use crate::outcome::{NotAccepted, judge};
use crate::phase::Drive;
use crate::plan::{Entity, Plan};
use crate::tally::Tally;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A read is repeated for this long if the query service does not respond or responds 5xx.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two attempts to read.
const READ_INTERVAL: Duration = Duration::from_millis(500);

/// What the comparisons use.
#[derive(Debug)]
pub struct Verification<'a> {
    drive: Drive<'a>,
    plan: &'a Plan,
    created: &'a Created,
    expected: Expected,
}

/// The results of the comparisons.
#[derive(Debug, Default)]
pub struct Verified {
    pub findings: Vec<Finding>,
    /// Latencies of the reads.
    pub tallies: Vec<Tally>,
}

impl<'a> Verification<'a> {
    /// Computes the expected sums.
    pub fn new(drive: Drive<'a>, plan: &'a Plan, created: &'a Created) -> Self {
        Self { drive, plan, created, expected: Expected::of(created, plan) }
    }

    /// Adds all comparisons, until a stop is requested.
    pub async fn run(&self, verified: &mut Verified) {
        self.compare_samples(verified).await;
        self.compare_sums(verified).await;
    }

    async fn compare_samples(&self, verified: &mut Verified) {
        let Created { customers, products, .. } = self.created;
        let most = self.drive.arguments.samples;
        let users = if self.has_users() { customers.len() } else { 0 };
        self.each("sampled users", &sample(users, most), verified, async |connection, place| {
            let Entity { index, id } = customers[place];
            let expected = User { id: Some(id), ..self.plan.user(index) };
            compare(connection, &format!("/api/users/{id}"), &expected, None, |_| false).await
        })
        .await;
        let places = sample(products.len(), most);
        self.each("sampled products", &places, verified, async |connection, place| {
            let path = format!("/api/products/{}", products[place].id);
            let is_explained = |shown: &Product| self.explains_stock(place, shown);
            compare(connection, &path, &self.product(place), None, is_explained).await
        })
        .await;
        let placed: Vec<(u32, Placed)> = self.created.placed().collect();
        let places = sample(placed.len(), most);
        self.each("sampled orders", &places, verified, async |connection, place| {
            let (number, Placed { id, stage, possible }) = placed[place];
            let order = self.plan.order(number, customers, products);
            let [expected, possible] = [stage, possible].map(|stage| order.shown(id, stage));
            let is_possible = |shown: &bodies::Order| *shown == possible;
            compare(connection, &format!("/api/orders/{id}"), &expected, None, is_possible).await
        })
        .await;
    }

    async fn compare_sums(&self, verified: &mut Verified) {
        let Created { customers, products, .. } = self.created;
        let Expected { products: sales, categories: revenues, customers: values } = &self.expected;
        let places: Vec<usize> = (0..products.len()).collect();
        self.each("products' sales", &places, verified, async |connection, place| {
            let path = format!("/api/analytics/products/{}/sales", products[place].id);
            compare_sums(connection, &path, &sales[place], None).await
        })
        .await;
        let places = sample(products.len(), self.drive.arguments.samples);
        let since = self.plan.day_before();
        self.each(
            "sampled products' hourly sales",
            &places,
            verified,
            async |connection, place| {
                let id = products[place].id;
                let path = format!("/api/analytics/hourly-sales?productId={id}&start={since}");
                let sums = &sales[place];
                let is_explained = |shown: &Hours| sums.explain(&shown.0);
                compare(connection, &path, &Hours(sums.accepted), None, is_explained).await
            },
        )
        .await;
        let category = |product: &Entity| self.plan.terms(product.index).category;
        let categories: BTreeSet<usize> = products.iter().map(category).collect();
        let categories: Vec<usize> = categories.into_iter().collect();
        self.each("categories' revenue", &categories, verified, async |connection, number| {
            let name = self.plan.category_name(number);
            let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
            let path = format!("/api/analytics/categories/{name}/revenue");
            compare_sums(connection, &path, &revenues[number], None).await
        })
        .await;
        let places: Vec<usize> = (0..customers.len()).collect();
        // A customer without a user exists from the first order on.
        let missing = (!self.has_users()).then(Sums::default);
        self.each("customers' lifetime value", &places, verified, async |connection, place| {
            let path = format!("/api/analytics/customers/{}/lifetime-value", customers[place].id);
            compare_sums(connection, &path, &values[place], missing).await
        })
        .await;
    }

    /// Makes one kind of comparison, until a stop is requested or the query service stops responding.
    async fn each<C>(
        &self,
        what: &'static str,
        places: &[usize],
        verified: &mut Verified,
        compare: C,
    ) where
        C: AsyncFn(&mut Connection<'_>, usize) -> Result<Compared, String>,
    {
        let is_over =
            self.drive.stop.is_requested() || verified.tallies.iter().any(|t| t.abandoned);
        if places.is_empty() || is_over {
            return;
        }
        let finding = RefCell::new(Finding::new(what));
        let request = async |connection: &mut Connection<'_>, index: u32| {
            let compared = compare(connection, places[index as usize]).await;
            let outcome = compared.clone().map(drop).map_err(NotAccepted::Failed);
            finding.borrow_mut().add(compared.unwrap_or_else(Compared::Different));
            outcome
        };
        verified.tallies.push(self.drive.run(what, places.len() as u32, request).await);
        verified.findings.push(finding.into_inner());
    }

    /// Whether the customers are users.
    fn has_users(&self) -> bool {
        self.drive.arguments.users > 0
    }

    /// What the services show of a product after the accepted orders and refunds.
    fn product(&self, place: usize) -> Product {
        let Entity { index, id } = self.created.products[place];
        let product = self.plan.product(index);
        let sold = self.expected.products[place].accepted.quantity;
        Product { id: Some(id), stock: product.stock.map(|stock| stock - sold), ..product }
    }

    /// Whether the product differs only in its stock, because of orders or refunds of unknown outcome.
    fn explains_stock(&self, place: usize, shown: &Product) -> bool {
        let Bounds { added, refunded, .. } = self.expected.products[place];
        let mut expected = self.product(place);
        let (Some(left), Some(stock)) = (expected.stock, shown.stock) else { return false };
        expected.stock = shown.stock;
        expected == *shown && (left - added.quantity..=left + refunded.quantity).contains(&stock)
    }
}

/// Compares sums with those over the accepted commands, which those of unknown outcome may change.
async fn compare_sums(
    connection: &mut Connection<'_>,
    path: &str,
    sums: &Bounds,
    missing: Option<Sums>,
) -> Result<Compared, String> {
    compare(connection, path, &sums.accepted, missing, |shown| sums.explain(shown)).await
}

/// Compares what `path` shows with what it must show. If nothing is there, it shows `missing`.
async fn compare<T>(
    connection: &mut Connection<'_>,
    path: &str,
    expected: &T,
    missing: Option<T>,
    is_explained: impl Fn(&T) -> bool,
) -> Result<Compared, String>
where
    T: PartialEq + Serialize + for<'de> Deserialize<'de>,
{
    Ok(match read::<T>(connection, path).await?.or(missing) {
        Some(shown) => Compared::of(path, &shown, expected).explained_if(is_explained(&shown)),
        None => Compared::Different(format!("{path} does not exist")),
    })
}

/// Reads `path`; none for 404.
async fn read<T: for<'de> Deserialize<'de>>(
    connection: &mut Connection<'_>,
    path: &str,
) -> Result<Option<T>, String> {
    let deadline = Instant::now() + READ_TIMEOUT;
    loop {
        let response = connection.get(path).await;
        let status = response.as_ref().map_or(0, |response| response.status);
        if status == 404 {
            return Ok(None);
        }
        match judge(response) {
            Ok(body) => {
                let text = || String::from_utf8_lossy(body).chars().take(200).collect::<String>();
                return serde_json::from_slice(body)
                    .map(Some)
                    .map_err(|error| format!("{path} is unreadable: {error}: {}", text()));
            }
            Err(why) if (400..500).contains(&status) || Instant::now() >= deadline => {
                return Err(format!("{path} cannot be read: {why}"));
            }
            Err(_) => sleep(READ_INTERVAL).await,
        }
    }
}

/// At most `most` of `count` indices, evenly spread, starting with the first.
fn sample(count: usize, most: u32) -> Vec<usize> {
    let samples = count.min(most as usize);
    (0..samples).map(|number| number * count / samples).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use crate::client::Server;
    use crate::created::Placement;
    use crate::order::Stage;
    use crate::stop::Stop;
    use clap::Parser;

    #[test]
    fn samples_are_evenly_spread() {
        assert_eq!(sample(10, 4), [0, 2, 5, 7]);
        assert_eq!(sample(3, 1_000), [0, 1, 2]);
        assert_eq!(sample(0, 10), [0; 0]);
    }

    #[test]
    fn stock_is_what_accepted_orders_have_left() {
        let plan = Plan::new(1, 1_800_000_000_000, 3);
        let entity = |index| Entity { index, id: 100 + i64::from(index) };
        let tracked = (0..).find(|index| plan.terms(*index).stock.is_some()).unwrap();
        let created = Created {
            customers: vec![entity(0), entity(1)],
            products: vec![entity(tracked)],
            orders: vec![
                Placement::Placed(Placed::at(9, Stage::Placed)),
                Placement::Unknown,
                Placement::NotPlaced,
                Placement::Placed(Placed::at(8, Stage::Paid)).possibly_at(Stage::Refunded),
            ],
        };
        let (arguments, server) = (Arguments::parse_from(["load"]), Server::local(1));
        let stop = Stop::default();
        let drive = Drive { arguments: &arguments, server: &server, rate: None, stop: &stop };
        let verification = Verification::new(drive, &plan, &created);
        let Bounds { accepted, added, refunded } = verification.expected.products[0];
        assert!(accepted.quantity > 0 && added.quantity > 0 && refunded.quantity > 0);
        let left = verification.product(0).stock.unwrap();
        assert_eq!(left, plan.terms(tracked).stock.unwrap() - accepted.quantity);
        let explains = |stock| {
            let shown = Product { stock: Some(stock), ..verification.product(0) };
            verification.explains_stock(0, &shown)
        };
        let (least, most) = (left - added.quantity, left + refunded.quantity);
        assert!(explains(least) && explains(left) && explains(most));
        assert!(!explains(least - 1) && !explains(most + 1));
    }
}
