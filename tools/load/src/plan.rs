//! What a run sends: a pure function of seed, kind and number. Nothing is stored; the same
//! order is computed again to be compared.

use crate::bodies::{Product, User};
use crate::order::{Line, Order, Share, refunded_amount, refunded_units, sum};
use crate::words::{CATEGORIES, FIRST_NAMES, LAST_NAMES, QUALITIES, THINGS};
use chrono::{DateTime, TimeDelta};
use fastrand::Rng;
use shared_events::Money;

/// Maximum number of lines of an order.
const MOST_LINES: u32 = 3;

/// The highest quantity of a line.
const MOST_QUANTITY: u32 = 3;

/// The highest price, in ten-thousandths: 999.9999.
const HIGHEST_PRICE: u32 = 9_999_999;

/// Customer ids per millisecond. All ids are below 2^53, so that 64-bit floats represent
/// them exactly.
const CUSTOMERS_PER_MILLISECOND: u32 = 5_000;

/// Everything that a run sends.
#[derive(Clone, Debug)]
pub struct Plan {
    seed: u64,
    /// The start of the run, in milliseconds since 1970.
    started: u64,
    /// The id that distinguishes this run's data from all other data in the stack.
    pub run: String,
    /// The lowest initial stock. It suffices if every order takes the maximum of one product.
    least_stock: i32,
}

/// The terms on which a product is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The number of its category.
    pub category: usize,
    /// Of the catalogue.
    pub price: Money,
    /// The initial stock; none if stock is not tracked.
    pub stock: Option<i64>,
}

/// A created user or product, or a customer id without a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its number in the plan.
    pub index: u32,
    /// The id that the command service returned.
    pub id: i64,
}

/// Independent random streams.
#[derive(Clone, Copy, Debug)]
enum Stream {
    User = 1,
    Product = 2,
    ProductName = 3,
    Order = 4,
    Refund = 5,
}

impl Plan {
    /// How many categories a run has.
    pub const CATEGORIES: usize = CATEGORIES.len();

    /// The plan of a run that starts at this number of milliseconds since 1970 and places `orders`
    /// orders.
    pub fn new(seed: u64, started: u64, orders: u32) -> Self {
        let most_taken = u64::from(orders) * u64::from(MOST_LINES * MOST_QUANTITY);
        let least_stock = i32::try_from(most_taken).unwrap_or(i32::MAX / 2);
        Self { seed, started, run: format!("{started:x}"), least_stock }
    }

    /// User number `index`. Name and email contain the run's id.
    pub fn user(&self, index: u32) -> User {
        let mut rng = self.rng(Stream::User, index);
        let (first, last) = (pick(&mut rng, &FIRST_NAMES), pick(&mut rng, &LAST_NAMES));
        User {
            id: None,
            name: format!("{first} {last} {}-{index}", self.run),
            email: format!("user-{index}@{}.load.example", self.run),
        }
    }

    /// Customers without users for at most `most` orders. No other run has their ids, which are
    /// far above those that a database has assigned.
    pub fn customers_without_users(&self, most: u32) -> Vec<Entity> {
        let first = self.started * u64::from(CUSTOMERS_PER_MILLISECOND);
        let count = most.min(CUSTOMERS_PER_MILLISECOND);
        (0..count).map(|index| Entity { index, id: first as i64 + i64::from(index) }).collect()
    }

    /// The day before the run. The services' clocks may differ.
    pub fn day_before(&self) -> String {
        let started = i64::try_from(self.started).ok().and_then(DateTime::from_timestamp_millis);
        (started.unwrap_or_default() - TimeDelta::days(1)).format("%Y-%m-%d").to_string()
    }

    /// The terms of product number `index`.
    pub fn terms(&self, index: u32) -> Terms {
        let mut rng = self.rng(Stream::Product, index);
        let category = rng.usize(..CATEGORIES.len());
        let price = match rng.u8(..100) {
            0 => 0,
            1..70 => rng.u32(1..=HIGHEST_PRICE / 100) * 100,
            _ => rng.u32(1..=HIGHEST_PRICE),
        };
        let is_tracked = rng.u8(..8) > 0;
        let stock = is_tracked.then(|| self.least_stock.saturating_add(rng.i32(0..1_000)).into());
        Terms { category, price: Money::from_units(price.into()), stock }
    }

    /// Product number `index`. The names of product and category contain the run's id.
    pub fn product(&self, index: u32) -> Product {
        let mut rng = self.rng(Stream::ProductName, index);
        let (quality, thing) = (pick(&mut rng, &QUALITIES), pick(&mut rng, &THINGS));
        let Terms { category, price, stock } = self.terms(index);
        Product {
            id: None,
            name: format!("{quality} {thing} {}-{index}", self.run),
            category: self.category_name(category),
            price,
            stock,
        }
    }

    /// The name of category number `index`, with the run's id.
    pub fn category_name(&self, index: usize) -> String {
        format!("{} {}", CATEGORIES.get(index).unwrap_or(&"?"), self.run)
    }

    /// Order number `index` of a run with these customers and products, of each at least one.
    /// The first are chosen more often, like best sellers.
    pub fn order(&self, index: u32, customers: &[Entity], products: &[Entity]) -> Order {
        let mut rng = self.rng(Stream::Order, index);
        let customer = favour_low(&mut rng, customers.len());
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..rng.u32(1..=MOST_LINES) {
            // Some orders name a product twice.
            let product = match lines.first() {
                Some(first) if rng.u8(..10) == 0 => first.product,
                _ => favour_low(&mut rng, products.len()),
            };
            let quantity = rng.i32(1..=MOST_QUANTITY as i32);
            let Terms { category, price, stock } = self.terms(products[product].index);
            let is_negotiated = rng.u8(..5) == 0;
            let price = match is_negotiated {
                true => Money::from_units(rng.u32(0..=HIGHEST_PRICE).into()),
                false => price,
            };
            let product_id = products[product].id;
            let is_tracked = stock.is_some();
            let line =
                Line { product, product_id, category, quantity, price, is_negotiated, is_tracked };
            lines.push(line);
        }
        let refund = self.refund(index, &lines);
        Order { customer, customer_id: customers[customer].id, lines, refund }
    }

    /// What the refund of order number `index` takes from its lines: some or all units, or an
    /// amount.
    fn refund(&self, index: u32, lines: &[Line]) -> Vec<Share> {
        let mut rng = self.rng(Stream::Refund, index);
        let total = sum(lines.iter().map(Line::revenue));
        if total > Money::ZERO && rng.u8(..3) == 0 {
            let amount = Money::from_units(rng.u32(1..=HIGHEST_PRICE).into());
            return refunded_amount(lines, amount.min(total));
        }
        let units = lines.iter().map(|line| line.quantity).sum();
        refunded_units(lines, rng.i32(1..=units))
    }

    fn rng(&self, stream: Stream, index: u32) -> Rng {
        let place = (stream as u64) << 32 | u64::from(index);
        Rng::with_seed(scatter(self.seed ^ scatter(place)))
    }
}

/// The finalizer of Splitmix64 (<https://prng.di.unimi.it/splitmix64.c>), which makes seeds that
/// differ by one bit differ in many.
const fn scatter(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn pick(rng: &mut Rng, words: &[&'static str]) -> &'static str {
    words.get(rng.usize(..words.len())).copied().unwrap_or_default()
}

/// A number below `end`. Low numbers are more frequent.
fn favour_low(rng: &mut Rng, end: usize) -> usize {
    let bound = rng.u32(..end as u32);
    rng.u32(..=bound) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bodies::Item;

    fn plan(seed: u64) -> Plan {
        Plan::new(seed, 1_800_000_000_000, 1_000)
    }

    /// The first users or products of a plan, with ids above their numbers.
    fn entities(count: u32) -> Vec<Entity> {
        (0..count).map(|index| Entity { index, id: 100 + i64::from(index) }).collect()
    }

    #[test]
    fn two_runs_have_different_ids_and_customers() {
        let (first, second) = (plan(1), Plan::new(1, 1_800_000_000_001, 1_000));
        assert_eq!((first.run.as_str(), second.run.as_str()), ("1a3185c5000", "1a3185c5001"));
        let ids = |plan: &Plan| -> Vec<i64> {
            plan.customers_without_users(u32::MAX).iter().map(|customer| customer.id).collect()
        };
        assert!(ids(&first).last() < ids(&second).first());
        assert!(ids(&second).iter().all(|id| *id < 1 << 53));
        assert_eq!(first.customers_without_users(3).len(), 3);
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let (one, other) = (plan(7), plan(7));
        let (customers, products) = (entities(50), entities(90));
        for index in 0..500 {
            assert_eq!(one.terms(index), other.terms(index));
            let order = one.order(index, &customers, &products);
            assert_eq!(order, other.order(index, &customers, &products));
            // Without the run's id.
            let word = |name: String| name.split(' ').next().map(str::to_owned);
            assert_eq!(word(one.user(index).name), word(other.user(index).name));
            assert_eq!(word(one.product(index).name), word(other.product(index).name));
        }
        let differing = (0..500).filter(|index| one.terms(*index) != plan(8).terms(*index));
        assert!(differing.count() > 490);
    }

    #[test]
    fn a_seed_gives_the_same_run_in_every_build() {
        let order = plan(1).order(9, &entities(1_000), &entities(1_000));
        let lines = order.lines.iter().map(|line| (line.product, line.quantity));
        assert_eq!(order.customer, 217);
        assert_eq!(lines.collect::<Vec<_>>(), [(366, 1), (229, 2)]);
        let price = Some(Money::from_units(7_930_785));
        let item = |product_id, quantity, price| Item { product_id, quantity, price };
        assert_eq!(order.request().items, [item(466, 1, None), item(329, 2, price)]);
        assert_eq!(plan(1).terms(3).price.to_string(), "233.92");
    }

    #[test]
    fn orders_name_only_customers_and_products_of_the_run() {
        let (plan, customers, products) = (plan(1), entities(5), entities(3));
        for index in 0..2_000 {
            let order = plan.order(index, &customers, &products);
            assert!(order.customer < 5 && (1..=3).contains(&order.lines.len()));
            for line in order.lines {
                assert!(line.product < 3 && (1..=3).contains(&line.quantity));
                assert!(line.price.is_price());
            }
        }
    }

    #[test]
    fn all_kinds_of_products_and_orders_occur() {
        let (plan, entities) = (plan(1), entities(900));
        let terms: Vec<Terms> = (0..1_000).map(|index| plan.terms(index)).collect();
        assert!(terms.iter().any(|terms| terms.stock.is_none()));
        assert!(terms.iter().any(|terms| terms.price == Money::ZERO));
        assert!(terms.iter().flat_map(|terms| terms.stock).all(|stock| stock >= 9_000));
        for category in 0..Plan::CATEGORIES {
            assert!(terms.iter().any(|terms| terms.category == category), "{category}");
        }
        let orders: Vec<Order> =
            (0..1_000).map(|index| plan.order(index, &entities, &entities)).collect();
        let lines = || orders.iter().flat_map(|order| &order.lines);
        assert!(lines().any(|line| line.is_negotiated));
        assert!(lines().any(|line| !line.is_negotiated));
        let twice = |order: &&Order| {
            order.lines.iter().skip(1).any(|line| line.product == order.lines[0].product)
        };
        assert!(orders.iter().any(|order| twice(&order)));
        // Refunds of an amount, of some units, and of all units.
        let units = |order: &Order| order.refund.iter().map(|share| share.quantity).sum::<i32>();
        assert!(orders.iter().any(|order| units(order) == 0));
        assert!(orders.iter().any(|order| units(order) > 0 && !order.is_refunded_whole()));
        assert!(orders.iter().any(Order::is_refunded_whole));
    }

    #[test]
    fn refunds_take_something_and_at_most_what_was_ordered() {
        let (plan, entities) = (plan(1), entities(900));
        for index in 0..1_000 {
            let order = plan.order(index, &entities, &entities);
            assert_eq!(order.refund.len(), order.lines.len());
            assert!(order.refund.iter().any(|share| *share != Share::default()));
            for (line, share) in order.lines.iter().zip(&order.refund) {
                assert!((0..=line.quantity).contains(&share.quantity));
                assert!((Money::ZERO..=line.revenue()).contains(&share.amount));
            }
        }
    }

    #[test]
    fn names_and_prices_are_within_the_limits_of_the_services() {
        use shared_events::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, is_name};
        let plan = plan(1);
        for index in [0, 9, 299_999] {
            assert!(is_name(&plan.product(index).name, MAX_NAME_CHARS));
            assert!(is_name(&plan.user(index).name, MAX_NAME_CHARS));
            assert!(plan.terms(index).price.is_price());
        }
        for index in 0..Plan::CATEGORIES {
            assert!(is_name(&plan.category_name(index), MAX_CATEGORY_CHARS));
        }
    }
}
