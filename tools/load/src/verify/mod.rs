//! Reading everything back, and comparing it with what was sent.

mod answers;
mod hourly;
mod lists;
mod reading;
mod samples;
mod sums;

use crate::client::{Connection, Server};
use crate::created::{Created, Fate, Member};
use crate::expected::Expected;
use crate::findings::{Finding, Verdict};
use crate::outcome::Outcome;
use crate::phase::{Drive, Phase};
use crate::plan::Plan;
use crate::pricing::{PricedOrder, priced};
use crate::tally::Tally;
use std::cell::RefCell;

/// Everything that the comparisons need.
#[derive(Debug)]
pub struct Verification<'a> {
    /// How requests are made: in a closed loop, whatever the load was.
    drive: Drive<'a>,
    server: &'a Server,
    plan: &'a Plan,
    created: &'a Created,
    samples: u32,
    /// By orders that were accepted.
    sure: Expected,
    /// By orders of unknown outcome, besides; empty if there are none.
    doubtful: Expected,
}

/// What the comparisons have found.
#[derive(Debug, Default)]
pub struct Verified {
    /// One for each kind of thing.
    pub findings: Vec<Finding>,
    /// Latencies of the reads.
    pub tallies: Vec<Tally>,
}

impl<'a> Verification<'a> {
    /// Folds all orders into the sums that the views must show.
    pub fn new(
        drive: Drive<'a>,
        server: &'a Server,
        plan: &'a Plan,
        created: &'a Created,
        samples: u32,
    ) -> Self {
        let of_run =
            || Expected::none(created.products.len(), Plan::CATEGORIES, created.customers.len());
        let (mut sure, mut doubtful) = (of_run(), Expected::none(0, 0, 0));
        for (index, fate) in created.orders.iter().enumerate() {
            let order = || priced(&created.order(plan, index as u32), plan, created);
            match fate {
                Fate::Made(placed) => sure.add(&order(), Some(placed.at)),
                Fate::Unknown => {
                    if doubtful.customers.is_empty() {
                        doubtful = of_run();
                    }
                    doubtful.add(&order(), None);
                }
                Fate::Absent => {}
            }
        }
        let drive = Drive { rate: None, ..drive };
        Self { drive, server, plan, created, samples, sure, doubtful }
    }

    /// Makes all comparisons, until a stop is asked for.
    ///
    /// # Errors
    /// If a phase cannot be run.
    pub async fn run(&self) -> anyhow::Result<Verified> {
        let mut verified = Verified::default();
        let answers = self.created.answers.clone();
        if answers.compared > 0 {
            verified.findings.push(answers);
        }
        self.samples(&mut verified).await?;
        self.sums(&mut verified).await?;
        self.hourly(&mut verified).await?;
        self.lists(&mut verified).await?;
        Ok(verified)
    }

    /// Whether there is no more to be compared: a stop was asked for, or the
    /// query service is gone.
    fn is_over(&self, verified: &Verified) -> bool {
        self.drive.stop.is_asked() || verified.tallies.iter().any(|tally| tally.given_up)
    }

    /// Compares `count` things, by their numbers. What cannot be read differs.
    async fn each<C>(
        &self,
        what: &'static str,
        count: usize,
        verified: &mut Verified,
        compare: C,
    ) -> anyhow::Result<()>
    where
        C: AsyncFn(&mut Connection<'_>, usize) -> Result<Verdict, String>,
    {
        if count == 0 || self.is_over(verified) {
            return Ok(());
        }
        let finding = RefCell::new(Finding::new(what));
        let phase = Phase { name: what, server: self.server, count: count as u32 };
        let request = async |connection: &mut Connection<'_>, index: u32| {
            let compared = compare(connection, index as usize).await;
            let outcome = match &compared {
                Ok(_) => Outcome::Accepted,
                Err(why) => Outcome::Failed(why.clone()),
            };
            finding.borrow_mut().note(compared.unwrap_or_else(|why| {
                Verdict::about(format!("number {index}")).wrong(format!("cannot be read: {why}"))
            }));
            outcome
        };
        verified.tallies.push(self.drive.run(phase, request).await?);
        verified.findings.push(finding.into_inner());
        Ok(())
    }

    fn order(&self, index: u32) -> PricedOrder {
        priced(&self.created.order(self.plan, index), self.plan, self.created)
    }
}

/// The places of things among the run's, by id: sorted, to be searched.
fn places_by_id(members: &[Member]) -> Vec<(i64, u32)> {
    let mut places: Vec<(i64, u32)> =
        members.iter().zip(0..).map(|(member, place)| (member.id, place)).collect();
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use super::answers::{LifetimeAnswer, ProductAnswer, SalesAnswer};
    use super::*;
    use crate::created::Placed;
    use crate::run_id::RunId;
    use crate::stop::Stop;
    use chrono::DateTime;
    use std::time::Duration;

    /// Two users, a product whose stock is tracked, and three orders: accepted,
    /// of unknown outcome, refused.
    fn created(plan: &Plan) -> Created {
        let member = |index| Member { index, id: 100 + i64::from(index) };
        let tracked = (0..).find(|index| plan.terms(*index).stock.is_some()).unwrap();
        let placed = Placed { id: 9, at: DateTime::from_timestamp(1_800_000_000, 0).unwrap() };
        Created {
            customers: vec![member(0), member(1)],
            are_users: true,
            products: vec![member(tracked)],
            are_all_products_known: true,
            orders: vec![Fate::Made(placed), Fate::Unknown, Fate::Absent],
            answers: Finding::new("answers to orders"),
        }
    }

    /// Runs `check` on the verification of the orders above.
    fn with_verification(check: impl FnOnce(Verification<'_>)) {
        let plan = Plan::new(1, RunId::now(), 3);
        let (created, stop, server) = (created(&plan), Stop::never(), Server::local(1));
        let patience = Duration::ZERO;
        let drive = Drive { concurrency: 1, rate: None, stop: &stop, patience };
        check(Verification::new(drive, &server, &plan, &created, 1));
    }

    fn noted(verdict: Verdict) -> (u64, u64) {
        let mut finding = Finding::new("things");
        finding.note(verdict);
        (finding.differing, finding.doubtful)
    }

    #[test]
    fn stock_is_what_accepted_orders_have_left() {
        with_verification(|verification| {
            let (sure, doubtful) = (&verification.sure, &verification.doubtful);
            let (sold, doubted) = (sure.products[0].pieces, doubtful.products[0].pieces);
            assert!(sold > 0 && doubted > 0);
            let member = verification.created.products[0];
            let terms = verification.plan.terms(member.index);
            let shown = |taken: i64| {
                let product = ProductAnswer {
                    id: member.id,
                    name: verification.plan.product_name(member.index),
                    category: verification.plan.category_name(terms.category),
                    price: terms.price,
                    stock: terms.stock.map(|stock| i64::from(stock) - taken),
                };
                noted(verification.check_product(&product, 0))
            };
            assert_eq!(shown(sold), (0, 0));
            assert_eq!(shown(sold + doubted), (1, 1));
            assert_eq!(shown(sold + doubted + 1), (1, 0));
            assert_eq!(shown(sold - 1), (1, 0));
        });
    }

    #[test]
    fn sums_differ_and_may_be_explained_by_unknown_outcomes() {
        with_verification(|verification| {
            let (sure, doubtful) =
                (verification.sure.products[0], verification.doubtful.products[0]);
            let shown = |pieces, revenue, order_count| {
                let answer = SalesAnswer {
                    product_id: 100,
                    total_quantity_sold: pieces,
                    total_revenue: revenue,
                    total_sales: revenue,
                    order_count,
                };
                noted(verification.check_sales(100, 0, Some(&answer)))
            };
            assert_eq!(shown(sure.pieces, sure.revenue, 1), (0, 0));
            let both = crate::pricing::plus(sure.revenue, doubtful.revenue);
            assert_eq!(shown(sure.pieces + doubtful.pieces, both, 2), (1, 1));
            assert_eq!(shown(sure.pieces, sure.revenue, 3), (1, 0));
            assert_eq!(noted(verification.check_sales(100, 0, None)), (1, 0));
        });
    }

    #[test]
    fn a_user_without_orders_has_spent_nothing_and_never_ordered() {
        with_verification(|verification| {
            let customers = [0, 1].map(|place| verification.sure.customers[place]);
            let place = customers.iter().position(|spending| spending.orders == 0).unwrap();
            let shown = |last_order_date| LifetimeAnswer {
                customer_id: 7,
                total_spent: shared_events::Money::ZERO,
                order_count: 0,
                last_order_date,
            };
            let date = DateTime::from_timestamp(1, 0);
            assert_eq!(noted(verification.check_spending(7, place, Some(&shown(None)))), (0, 0));
            assert_eq!(noted(verification.check_spending(7, place, Some(&shown(date)))).0, 1);
            assert_eq!(noted(verification.check_spending(7, place, None)), (1, 0));
        });
    }
}
