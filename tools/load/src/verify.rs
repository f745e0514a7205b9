//! Verification of a run: every sum of its products, categories and customers, and samples
//! of its users, products and orders.
//!
//! A lost or duplicated order changes the sums of its products and its customer.
//! `cargo stack verify` compares every row and column.

use crate::client::{Connection, Server};
use crate::created::{Created, Entity};
use crate::expected::{Expected, Sums, priced};
use crate::findings::{Compared, Finding};
use crate::outcome::{Outcome, judge};
use crate::phase::{Drive, Phase};
use crate::plan::Plan;
use crate::tally::Tally;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use shared_events::Money;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A read is repeated for this long if the query service does not respond or responds 5xx.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two attempts to read.
const READ_INTERVAL: Duration = Duration::from_millis(500);

/// The status of an order that was placed and not changed.
const CREATED: &str = "CREATED";

/// What the comparisons use.
#[derive(Debug)]
pub struct Verification<'a> {
    drive: Drive<'a>,
    server: &'a Server,
    plan: &'a Plan,
    created: &'a Created,
    samples: u32,
    /// Sums over the accepted orders.
    accepted: Expected,
    /// Sums over the orders of unknown outcome.
    unknown: Expected,
}

/// The results of the comparisons.
#[derive(Debug, Default)]
pub struct Verified {
    pub findings: Vec<Finding>,
    /// Latencies of the reads.
    pub tallies: Vec<Tally>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: i64,
    name: String,
    email: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Product {
    id: i64,
    name: String,
    category: String,
    price: Money,
    stock: Option<i64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: i64,
    customer_id: i64,
    total: Money,
    status: String,
    items: Vec<Line>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    product_id: i64,
    quantity: i32,
    price: Money,
}

impl<'a> Verification<'a> {
    /// Computes the expected sums. The load's rate does not apply to the reads.
    pub fn new(
        drive: Drive<'a>,
        server: &'a Server,
        plan: &'a Plan,
        created: &'a Created,
        samples: u32,
    ) -> Self {
        let (accepted, unknown) = Expected::of(created, plan);
        let drive = Drive { rate: None, ..drive };
        Self { drive, server, plan, created, samples, accepted, unknown }
    }

    /// Makes all comparisons, until a stop is requested.
    pub async fn run(&self) -> Verified {
        let mut verified = Verified::default();
        if self.created.responses.compared > 0 {
            verified.findings.push(self.created.responses.clone());
        }
        self.compare_samples(&mut verified).await;
        self.compare_sums(&mut verified).await;
        verified
    }

    async fn compare_samples(&self, verified: &mut Verified) {
        let Created { customers, are_users, products, .. } = self.created;
        if *are_users {
            let users = sample(customers.len(), self.samples);
            self.each("sampled users", &users, verified, async |connection, place| {
                let user = self.plan.user(customers[place].index);
                let expected = User { id: customers[place].id, name: user.name, email: user.email };
                let path = format!("/api/users/{}", expected.id);
                compare(connection, &path, &expected, |_| false).await
            })
            .await;
        }
        let places = sample(products.len(), self.samples);
        self.each("sampled products", &places, verified, async |connection, place| {
            let expected = self.product(place);
            let path = format!("/api/products/{}", expected.id);
            compare(connection, &path, &expected, |shown| self.explains_stock(place, shown)).await
        })
        .await;
        let placed: Vec<(u32, i64)> = self.created.placed().collect();
        let places = sample(placed.len(), self.samples);
        self.each("sampled orders", &places, verified, async |connection, place| {
            let (index, id) = placed[place];
            let path = format!("/api/orders/{id}");
            compare(connection, &path, &self.order(index, id), |_| false).await
        })
        .await;
    }

    async fn compare_sums(&self, verified: &mut Verified) {
        let Created { customers, are_users, products, .. } = self.created;
        let (accepted, unknown) = (&self.accepted, &self.unknown);
        let places: Vec<usize> = (0..products.len()).collect();
        self.each("products' sales", &places, verified, async |connection, place| {
            let path = format!("/api/analytics/products/{}/sales", products[place].id);
            let (accepted, unknown) = (accepted.products[place], unknown.products[place]);
            compare_sums(connection, &path, accepted, unknown, false).await
        })
        .await;
        let category = |product: &Entity| self.plan.terms(product.index).category;
        let categories: BTreeSet<usize> = products.iter().map(category).collect();
        let categories: Vec<usize> = categories.into_iter().collect();
        self.each("categories' revenue", &categories, verified, async |connection, number| {
            let name = self.plan.category_name(number);
            let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
            let path = format!("/api/analytics/categories/{name}/revenue");
            let (accepted, unknown) = (accepted.categories[number], unknown.categories[number]);
            compare_sums(connection, &path, accepted, unknown, false).await
        })
        .await;
        let places: Vec<usize> = (0..customers.len()).collect();
        self.each("customers' lifetime value", &places, verified, async |connection, place| {
            let path = format!("/api/analytics/customers/{}/lifetime-value", customers[place].id);
            let (accepted, unknown) = (accepted.customers[place], unknown.customers[place]);
            // A customer without a user exists from the first order on.
            compare_sums(connection, &path, accepted, unknown, !are_users).await
        })
        .await;
    }

    /// Makes one kind of comparison, until a stop is requested or the query service is gone.
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
        let phase = Phase { name: what, server: self.server, count: places.len() as u32 };
        let request = async |connection: &mut Connection<'_>, index: u32| {
            let compared = compare(connection, places[index as usize]).await;
            let (compared, outcome) = match compared {
                Ok(compared) => (compared, Outcome::Accepted),
                Err(why) => (Compared::Different(why.clone()), Outcome::Failed(why)),
            };
            finding.borrow_mut().add(compared);
            outcome
        };
        verified.tallies.push(self.drive.run(phase, request).await);
        verified.findings.push(finding.into_inner());
    }

    fn product(&self, place: usize) -> Product {
        let Entity { index, id } = self.created.products[place];
        let terms = self.plan.terms(index);
        Product {
            id,
            name: self.plan.product_name(index),
            category: self.plan.category_name(terms.category),
            price: terms.price,
            stock: terms.stock.map(|it| i64::from(it) - self.accepted.products[place].quantity),
        }
    }

    /// Whether the product differs only in its stock, because of orders of unknown outcome.
    fn explains_stock(&self, place: usize, shown: &Product) -> bool {
        let unknown = self.unknown.products[place].quantity;
        let mut expected = self.product(place);
        let (Some(left), Some(stock)) = (expected.stock, shown.stock) else { return false };
        expected.stock = shown.stock;
        expected == *shown && (left - unknown..=left).contains(&stock)
    }

    fn order(&self, index: u32, id: i64) -> Order {
        let order = priced(&self.created.order(self.plan, index), self.plan, self.created);
        let lines = order.lines.iter().map(|line| Line {
            product_id: line.product_id,
            quantity: line.quantity,
            price: line.price,
        });
        Order {
            id,
            customer_id: self.created.customers[order.customer].id,
            total: order.total,
            status: CREATED.to_owned(),
            items: lines.collect(),
        }
    }
}

/// Compares sums with those over the accepted orders. If they `may_be_missing`, missing sums
/// are zero.
async fn compare_sums(
    connection: &mut Connection<'_>,
    path: &str,
    accepted: Sums,
    unknown: Sums,
    may_be_missing: bool,
) -> Result<Compared, String> {
    let shown = match read(connection, path).await? {
        None if may_be_missing => Sums::default(),
        None => return Ok(missing(path)),
        Some(shown) => shown,
    };
    let is_explained = accepted.explains(&unknown, &shown);
    Ok(Compared::of(path, &shown, &accepted).explained_if(is_explained))
}

/// Compares what `path` shows with what it must show.
async fn compare<T>(
    connection: &mut Connection<'_>,
    path: &str,
    expected: &T,
    is_explained: impl Fn(&T) -> bool,
) -> Result<Compared, String>
where
    T: PartialEq + Serialize + for<'de> Deserialize<'de>,
{
    let Some(shown) = read::<T>(connection, path).await? else {
        return Ok(missing(path));
    };
    Ok(Compared::of(path, &shown, expected).explained_if(is_explained(&shown)))
}

fn missing(path: &str) -> Compared {
    Compared::Different(format!("{path} does not exist"))
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
            Err(outcome) if (400..500).contains(&status) || Instant::now() >= deadline => {
                return Err(format!("{path} cannot be read: {}", outcome.reason()));
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
    use crate::created::Placement;
    use crate::run_id::RunId;
    use crate::stop::Stop;

    #[test]
    fn samples_are_evenly_spread() {
        assert_eq!(sample(10, 4), [0, 2, 5, 7]);
        assert_eq!(sample(3, 1_000), [0, 1, 2]);
        assert_eq!(sample(0, 10), [0; 0]);
    }

    #[test]
    fn stock_is_what_accepted_orders_have_left() {
        let plan = Plan::new(1, RunId::now(), 3);
        let entity = |index| Entity { index, id: 100 + i64::from(index) };
        let tracked = (0..).find(|index| plan.terms(*index).stock.is_some()).unwrap();
        let created = Created {
            customers: vec![entity(0), entity(1)],
            are_users: true,
            products: vec![entity(tracked)],
            orders: vec![Placement::Placed(9), Placement::Unknown, Placement::NotPlaced],
            responses: Finding::new("responses to orders"),
        };
        let (stop, server) = (Stop::never(), Server::local(1));
        let drive = Drive { concurrency: 1, rate: None, stop: &stop, patience: Duration::ZERO };
        let verification = Verification::new(drive, &server, &plan, &created, 1);
        let sold = verification.accepted.products[0].quantity;
        let unknown = verification.unknown.products[0].quantity;
        assert!(sold > 0 && unknown > 0);
        let left = verification.product(0).stock.unwrap();
        assert_eq!(left, i64::from(plan.terms(tracked).stock.unwrap()) - sold);
        let explains = |stock| {
            let shown = Product { stock: Some(stock), ..verification.product(0) };
            verification.explains_stock(0, &shown)
        };
        assert!(explains(left) && explains(left - unknown));
        assert!(!explains(left + 1) && !explains(left - unknown - 1));
    }
}
