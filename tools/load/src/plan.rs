//! What a run sends: a pure function of seed, kind and number. Nothing is stored; the same
//! order is computed again to be compared.

use crate::run_id::RunId;
use crate::words::{CATEGORIES, FIRST_NAMES, LAST_NAMES, QUALITIES, THINGS};
use fastrand::Rng;
use shared_events::Money;

/// Maximum number of lines of an order.
const MOST_LINES: u32 = 3;

/// The highest quantity of a line.
const MOST_QUANTITY: u32 = 3;

/// The highest price, in ten-thousandths: 999.9999.
const HIGHEST_PRICE: u32 = 9_999_999;

/// Everything that a run sends.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    seed: u64,
    run: RunId,
    /// The lowest initial stock: enough for all orders to take the most of one product.
    least_stock: i32,
}

/// A user to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Contains the run's id.
    pub name: String,
    /// Contains the run's id.
    pub email: String,
}

/// The terms on which a product is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The number of its category.
    pub category: usize,
    /// Of the catalogue.
    pub price: Money,
    /// The initial stock; none if stock is not tracked.
    pub stock: Option<i32>,
}

/// An order to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The customer's place among the run's customers.
    pub customer: u32,
    /// One to three.
    pub lines: Vec<Line>,
}

/// A line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The product's place among the run's products.
    pub product: u32,
    pub quantity: i32,
    /// A price that replaces that of the catalogue.
    pub negotiated: Option<Money>,
}

/// Independent random streams.
#[derive(Clone, Copy, Debug)]
enum Stream {
    User = 1,
    Product = 2,
    ProductName = 3,
    Order = 4,
}

impl Plan {
    /// How many categories a run has.
    pub const CATEGORIES: usize = CATEGORIES.len();

    /// The plan of a run that places `orders` orders.
    pub fn new(seed: u64, run: RunId, orders: u32) -> Self {
        let most_taken = u64::from(orders) * u64::from(MOST_LINES * MOST_QUANTITY);
        Self { seed, run, least_stock: i32::try_from(most_taken).unwrap_or(i32::MAX / 2) }
    }

    /// User number `index`.
    pub fn user(&self, index: u32) -> User {
        let mut rng = self.rng(Stream::User, index);
        let (first, last) = (pick(&mut rng, &FIRST_NAMES), pick(&mut rng, &LAST_NAMES));
        User {
            name: format!("{first} {last} {}-{index}", self.run),
            email: format!("user-{index}@{}.load.example", self.run),
        }
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
        let stock = is_tracked.then(|| self.least_stock.saturating_add(rng.i32(0..1_000)));
        Terms { category, price: Money::from_units(price.into()), stock }
    }

    /// The name of product number `index`, with the run's id.
    pub fn product_name(&self, index: u32) -> String {
        let mut rng = self.rng(Stream::ProductName, index);
        let (quality, thing) = (pick(&mut rng, &QUALITIES), pick(&mut rng, &THINGS));
        format!("{quality} {thing} {}-{index}", self.run)
    }

    /// The name of category number `index`, with the run's id.
    pub fn category_name(&self, index: usize) -> String {
        format!("{} {}", CATEGORIES.get(index).unwrap_or(&"?"), self.run)
    }

    /// Order number `index` of a run with this many customers and products, of each at least
    /// one. Low numbers are chosen more often, like best sellers.
    pub fn order(&self, index: u32, customers: u32, products: u32) -> Order {
        let mut rng = self.rng(Stream::Order, index);
        let customer = favour_low(&mut rng, customers);
        let count = rng.u32(1..=MOST_LINES);
        let mut lines: Vec<Line> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            // Some orders name a product twice.
            let product = match lines.first() {
                Some(first) if rng.u8(..10) == 0 => first.product,
                _ => favour_low(&mut rng, products),
            };
            let quantity = rng.i32(1..=MOST_QUANTITY as i32);
            let is_negotiated = rng.u8(..5) == 0;
            let negotiated =
                is_negotiated.then(|| Money::from_units(rng.u32(0..=HIGHEST_PRICE).into()));
            lines.push(Line { product, quantity, negotiated });
        }
        Order { customer, lines }
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
fn favour_low(rng: &mut Rng, end: u32) -> u32 {
    let bound = rng.u32(..end);
    rng.u32(..=bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::new(seed, RunId::now(), 1_000)
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let (one, other) = (plan(7), plan(7));
        for index in 0..500 {
            assert_eq!(one.terms(index), other.terms(index));
            assert_eq!(one.order(index, 50, 90), other.order(index, 50, 90));
            // Without the run's id.
            let word = |name: String| name.split(' ').next().map(str::to_owned);
            assert_eq!(word(one.user(index).name), word(other.user(index).name));
            assert_eq!(word(one.product_name(index)), word(other.product_name(index)));
        }
        let differing = (0..500).filter(|index| one.terms(*index) != plan(8).terms(*index));
        assert!(differing.count() > 490);
    }

    #[test]
    fn a_seed_gives_the_same_run_in_every_build() {
        let order = plan(1).order(9, 1_000, 1_000);
        let line = |product, quantity, negotiated| Line { product, quantity, negotiated };
        let negotiated = Some(Money::from_units(7_930_785));
        let lines = vec![line(366, 1, None), line(229, 2, negotiated)];
        assert_eq!(order, Order { customer: 217, lines });
        assert_eq!(plan(1).terms(3).price.to_string(), "233.92");
    }

    #[test]
    fn orders_name_only_customers_and_products_of_the_run() {
        let plan = plan(1);
        for index in 0..2_000 {
            let order = plan.order(index, 5, 3);
            assert!(order.customer < 5 && (1..=3).contains(&order.lines.len()));
            for line in order.lines {
                assert!(line.product < 3 && (1..=3).contains(&line.quantity));
                assert!(line.negotiated.is_none_or(Money::is_price));
            }
        }
    }

    #[test]
    fn all_kinds_of_products_and_orders_occur() {
        let plan = plan(1);
        let terms: Vec<Terms> = (0..1_000).map(|index| plan.terms(index)).collect();
        assert!(terms.iter().any(|terms| terms.stock.is_none()));
        assert!(terms.iter().any(|terms| terms.price == Money::ZERO));
        assert!(terms.iter().flat_map(|terms| terms.stock).all(|stock| stock >= 9_000));
        for category in 0..Plan::CATEGORIES {
            assert!(terms.iter().any(|terms| terms.category == category), "{category}");
        }
        let orders: Vec<Order> = (0..1_000).map(|index| plan.order(index, 900, 900)).collect();
        let lines = || orders.iter().flat_map(|order| &order.lines);
        assert!(lines().any(|line| line.negotiated.is_some()));
        assert!(lines().any(|line| line.negotiated.is_none()));
        let twice = |order: &&Order| {
            order.lines.iter().skip(1).any(|line| line.product == order.lines[0].product)
        };
        assert!(orders.iter().any(|order| twice(&order)));
    }

    #[test]
    fn names_and_prices_are_within_the_limits_of_the_services() {
        use shared_events::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, is_name};
        let plan = plan(1);
        for index in [0, 9, 299_999] {
            assert!(is_name(&plan.product_name(index), MAX_NAME_CHARS));
            assert!(is_name(&plan.user(index).name, MAX_NAME_CHARS));
            assert!(plan.terms(index).price.is_price());
        }
        for index in 0..Plan::CATEGORIES {
            assert!(is_name(&plan.category_name(index), MAX_CATEGORY_CHARS));
        }
    }
}
