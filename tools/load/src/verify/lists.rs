//! Lists: a stretch of each, page by page, and those of a category and of a
//! customer.

use super::answers::{OrderAnswer, ProductAnswer, UserAnswer};
use super::reading::page;
use super::{Verification, Verified, places_by_id};
use crate::client::Connection;
use crate::created::Placed;
use crate::findings::{Finding, Verdict};
use crate::progress::Progress;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Elements of a page: the most there may be.
const LIMIT: usize = 500;

/// Pages of a stretch.
const PAGES: usize = 10;

/// An element of a list.
trait Listed: for<'de> Deserialize<'de> {
    /// By which lists are sorted.
    fn id(&self) -> i64;
}

impl Listed for UserAnswer {
    fn id(&self) -> i64 {
        self.id
    }
}

impl Listed for ProductAnswer {
    fn id(&self) -> i64 {
        self.id
    }
}

impl Listed for OrderAnswer {
    fn id(&self) -> i64 {
        self.id
    }
}

/// A list to be read.
#[derive(Debug)]
struct List<'a> {
    /// For people.
    what: &'static str,
    /// With a query string.
    path: String,
    /// The run's own elements in it, sorted: id and place.
    own: &'a [(i64, u32)],
    /// How others in it are to be taken.
    others: Others,
}

/// Elements that are not the run's, or whose request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// Belong there: the list is everybody's.
    Belong,
    /// Are wrong, but may be of a request of unknown outcome.
    Doubtful,
    /// Are wrong.
    Wrong,
}

impl Verification<'_> {
    /// Compares all lists.
    pub(super) async fn lists(&self, verified: &mut Verified) -> anyhow::Result<()> {
        if self.is_over(verified) {
            return Ok(());
        }
        let count = if self.created.are_users { 5 } else { 4 };
        let progress = Progress::begin("lists", count)?;
        progress.during(self.compare_lists(&progress, count, verified)).await;
        Ok(())
    }

    async fn compare_lists(&self, progress: &Progress, count: u64, verified: &mut Verified) {
        let mut done = 0;
        let mut take = |finding: Finding| {
            done += 1;
            progress.set(done, count);
            verified.findings.push(finding);
        };
        let check_user = |user: &UserAnswer, place: u32| self.check_user(user, place as usize);
        let check_product =
            |product: &ProductAnswer, place: u32| self.check_product(product, place as usize);
        if self.created.are_users {
            let users = places_by_id(&self.created.customers);
            take(
                self.compare_list(List::stretch("listed users", "users", &users), check_user).await,
            );
        }
        let products = places_by_id(&self.created.products);
        let list = List::stretch("listed products", "products", &products);
        take(self.compare_list(list, check_product).await);
        let (category, products) = self.largest_category();
        take(self.compare_list(self.list_of_category(category, &products), check_product).await);
        let placed = self.placed();
        let check_order =
            |order: &OrderAnswer, place: u32| self.check_listed(&placed, order, place);
        let orders = orders_by_id(placed.iter().copied().zip(0..));
        let list = List::stretch("listed orders", "orders", &orders);
        take(self.compare_list(list, check_order).await);
        let (customer, orders) = self.busiest_customer(&placed);
        take(self.compare_list(self.list_of_customer(customer, &orders), check_order).await);
    }

    async fn compare_list<T: Listed>(
        &self,
        list: List<'_>,
        check: impl Fn(&T, u32) -> Verdict,
    ) -> Finding {
        let mut finding = Finding::new(list.what);
        let Some((first, _)) = list.own.first() else { return finding };
        let before = if list.others == Others::Belong { first - 1 } else { 0 };
        let mut walk = Walk { own: list.own, others: list.others, last: before };
        let mut connection = Connection::new(self.server);
        let mut cursor = before.to_string();
        for _ in 0..PAGES {
            if self.drive.stop.is_asked() {
                break;
            }
            let path = format!("/api/{}limit={LIMIT}&cursor={cursor}", list.path);
            let read = self.drive.stop.or_overdue(page::<T>(&mut connection, &path)).await;
            match read.unwrap_or_else(|| Err("stopped".to_owned())) {
                Ok((elements, next)) => {
                    for element in &elements {
                        walk.step(element, &check, &mut finding);
                    }
                    match next {
                        Some(next) if walk.goes_on() => cursor = next,
                        _ => {
                            walk.end(&mut finding);
                            break;
                        }
                    }
                }
                Err(why) => {
                    let verdict = Verdict::about(path).wrong(format!("cannot be read: {why}"));
                    finding.note(verdict);
                    break;
                }
            }
        }
        finding
    }

    fn check_listed(&self, placed: &[(u32, Placed)], shown: &OrderAnswer, place: u32) -> Verdict {
        match placed.get(place as usize) {
            Some((index, placed)) => self.check_order(shown, *placed, &self.order(*index)),
            None => Verdict::about(format!("order {}", shown.id)),
        }
    }

    /// The category with the most products, and these.
    fn largest_category(&self) -> (usize, Vec<(i64, u32)>) {
        let mut products: BTreeMap<usize, Vec<(i64, u32)>> = BTreeMap::new();
        for (member, place) in self.created.products.iter().zip(0..) {
            let category = self.plan.terms(member.index).category;
            products.entry(category).or_default().push((member.id, place));
        }
        let largest = products.into_iter().max_by_key(|(_, products)| products.len());
        let (category, mut products) = largest.unwrap_or_default();
        products.sort_unstable();
        (category, products)
    }

    fn list_of_category<'a>(&self, category: usize, products: &'a [(i64, u32)]) -> List<'a> {
        List {
            what: "listed products of a category",
            path: format!("products?category={}&", self.encoded(category)),
            own: products,
            others: if self.created.are_all_products_known {
                Others::Wrong
            } else {
                Others::Doubtful
            },
        }
    }

    /// The customer with the most orders, by place, and these.
    fn busiest_customer(&self, placed: &[(u32, Placed)]) -> (usize, Vec<(i64, u32)>) {
        let customers = self.sure.customers.iter().enumerate();
        let busiest = customers.max_by_key(|(_, spending)| spending.orders);
        let customer = busiest.map_or(0, |(place, _)| place);
        let of_customer = |(index, _): &(u32, Placed)| {
            self.created.order(self.plan, *index).customer as usize == customer
        };
        let orders = placed.iter().copied().zip(0..).filter(|(order, _)| of_customer(order));
        (customer, orders_by_id(orders))
    }

    fn list_of_customer<'a>(&self, customer: usize, orders: &'a [(i64, u32)]) -> List<'a> {
        let doubtful = self.doubtful.customers.get(customer);
        let is_sure = doubtful.is_none_or(|spending| spending.orders == 0);
        List {
            what: "listed orders of a customer",
            path: format!("orders?customerId={}&", self.created.customer_id(customer as u32)),
            own: orders,
            others: if is_sure { Others::Wrong } else { Others::Doubtful },
        }
    }
}

impl<'a> List<'a> {
    /// A stretch of the list of everything of a kind.
    fn stretch(what: &'static str, kind: &str, own: &'a [(i64, u32)]) -> Self {
        Self { what, path: format!("{kind}?"), own, others: Others::Belong }
    }
}

/// Ids and places among the accepted orders, sorted by id.
fn orders_by_id(orders: impl Iterator<Item = ((u32, Placed), u32)>) -> Vec<(i64, u32)> {
    let mut orders: Vec<(i64, u32)> =
        orders.map(|((_, placed), place)| (placed.id, place)).collect();
    orders.sort_unstable();
    orders
}

/// How far a list has been read.
#[derive(Debug)]
struct Walk<'a> {
    /// The run's own elements that are still to come.
    own: &'a [(i64, u32)],
    others: Others,
    /// The id of the last element.
    last: i64,
}

impl Walk<'_> {
    /// Whether anything can be learnt from what follows.
    const fn goes_on(&self) -> bool {
        !self.own.is_empty() || !matches!(self.others, Others::Belong)
    }

    /// Takes the next element.
    fn step<T: Listed>(
        &mut self,
        element: &T,
        check: impl Fn(&T, u32) -> Verdict,
        finding: &mut Finding,
    ) {
        let id = element.id();
        if id <= self.last {
            let verdict = Verdict::about(format!("id {id}"));
            finding.note(verdict.wrong(format!("follows id {}", self.last)));
            return;
        }
        self.last = id;
        while let Some(((own, place), rest)) = self.own.split_first()
            && *own <= id
        {
            self.own = rest;
            if *own == id {
                finding.note(check(element, *place));
                return;
            }
            finding
                .note(Verdict::about(format!("id {own}")).wrong("is not in the list".to_owned()));
        }
        if self.others != Others::Belong {
            let verdict = Verdict::about(format!("id {id}"));
            let verdict = verdict.wrong("does not belong in the list".to_owned());
            finding.note(verdict.could_be_doubt(self.others == Others::Doubtful));
        }
    }

    /// Takes the end of the list.
    fn end(&mut self, finding: &mut Finding) {
        for (own, _) in self.own {
            finding
                .note(Verdict::about(format!("id {own}")).wrong("is not in the list".to_owned()));
        }
        self.own = &[];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Element(i64);

    impl Listed for Element {
        fn id(&self) -> i64 {
            self.0
        }
    }

    /// Compared and differing, of a whole list with these ids, when ids 3, 5
    /// and 9 are the run's.
    fn walked(ids: &[i64], others: Others) -> (u64, u64) {
        let own = [(3, 0), (5, 1), (9, 2)];
        let mut walk = Walk { own: &own, others, last: 2 };
        let mut finding = Finding::new("things");
        for id in ids {
            let check = |element: &Element, place: u32| {
                Verdict::about(String::new()).member("id", &element.0, &own[place as usize].0)
            };
            walk.step(&Element(*id), check, &mut finding);
        }
        walk.end(&mut finding);
        (finding.compared, finding.differing)
    }

    #[test]
    fn a_list_has_all_of_ours_once_and_in_order() {
        assert_eq!(walked(&[3, 4, 5, 9, 10], Others::Belong), (3, 0));
        assert_eq!(walked(&[3, 9], Others::Belong), (3, 1));
        assert_eq!(walked(&[3, 5], Others::Belong), (3, 1));
        assert_eq!(walked(&[3, 5, 5, 9], Others::Belong), (4, 1));
        assert_eq!(walked(&[5, 3, 9], Others::Belong), (4, 2));
        assert_eq!(walked(&[3, 5, 9], Others::Wrong), (3, 0));
        assert_eq!(walked(&[3, 4, 5, 9], Others::Wrong), (4, 1));
    }
}
