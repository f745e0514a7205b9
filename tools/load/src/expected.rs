//! The sums that the views must show, computed from the orders.

use crate::created::{Created, Placement};
use crate::plan::{Order, Plan};
use serde::{Deserialize, Serialize};
use shared_events::Money;

/// An order with its prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedOrder {
    /// The customer's place among the run's customers.
    pub customer: usize,
    /// In the order in which they are sent.
    pub lines: Vec<PricedLine>,
    pub total: Money,
}

/// An order line with its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedLine {
    /// The product's place among the run's products.
    pub product: usize,
    pub product_id: i64,
    /// The number of its category.
    pub category: usize,
    pub quantity: i32,
    /// Of one piece.
    pub price: Money,
}

/// Adds prices to an order: the negotiated ones, or those of the catalogue.
pub fn priced(order: &Order, plan: &Plan, created: &Created) -> PricedOrder {
    let lines = order.lines.iter().map(|line| {
        let product = created.products.get(line.product as usize);
        let terms = plan.terms(product.map_or(0, |product| product.index));
        PricedLine {
            product: line.product as usize,
            product_id: product.map_or(0, |product| product.id),
            category: terms.category,
            quantity: line.quantity,
            price: line.negotiated.unwrap_or(terms.price),
        }
    });
    let lines: Vec<PricedLine> = lines.collect();
    let total = lines.iter().fold(Money::ZERO, |total, line| plus(total, line.revenue()));
    PricedOrder { customer: order.customer as usize, lines, total }
}

impl PricedLine {
    fn revenue(&self) -> Money {
        self.price.checked_times(self.quantity).unwrap_or(self.price)
    }
}

/// The sum. It cannot overflow: all amounts of a run, 10^7 orders of 9,000 each, are far
/// below the limit of [`Money`].
fn plus(sum: Money, amount: Money) -> Money {
    sum.checked_add(amount).unwrap_or(sum)
}

/// What a view shows of a product, a category or a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    #[serde(alias = "orderCount", alias = "totalOrders")]
    pub orders: i64,
    /// Shown of products only.
    #[serde(alias = "totalQuantitySold", default)]
    pub quantity: i64,
    #[serde(alias = "totalRevenue", alias = "totalSpent")]
    pub revenue: Money,
}

impl Sums {
    fn add(&mut self, orders: i64, quantity: i32, revenue: Money) {
        self.orders += orders;
        self.quantity += i64::from(quantity);
        self.revenue = plus(self.revenue, revenue);
    }

    /// Whether `shown` is possible if only some of the orders of unknown outcome were placed.
    pub fn explains(&self, unknown: &Self, shown: &Self) -> bool {
        (self.orders..=self.orders + unknown.orders).contains(&shown.orders)
            && (self.quantity..=self.quantity + unknown.quantity).contains(&shown.quantity)
            && (self.revenue..=plus(self.revenue, unknown.revenue)).contains(&shown.revenue)
    }
}

/// Sums over orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// By the product's place among the run's products.
    pub products: Vec<Sums>,
    /// By the category's number, without quantities.
    pub categories: Vec<Sums>,
    /// By the customer's place among the run's customers, without quantities.
    pub customers: Vec<Sums>,
}

impl Expected {
    /// The sums over the accepted orders, and over those of unknown outcome.
    pub fn of(created: &Created, plan: &Plan) -> (Self, Self) {
        let mut accepted = Self::zero(created.products.len(), created.customers.len());
        let mut unknown = accepted.clone();
        for (index, placement) in (0..).zip(&created.orders) {
            let sums = match placement {
                Placement::Placed(_) => &mut accepted,
                Placement::Unknown => &mut unknown,
                Placement::NotPlaced => continue,
            };
            sums.add(&priced(&created.order(plan, index), plan, created));
        }
        (accepted, unknown)
    }

    fn zero(products: usize, customers: usize) -> Self {
        Self {
            products: vec![Sums::default(); products],
            categories: vec![Sums::default(); Plan::CATEGORIES],
            customers: vec![Sums::default(); customers],
        }
    }

    fn add(&mut self, order: &PricedOrder) {
        for (place, line) in order.lines.iter().enumerate() {
            // An order counts once per product and category, however many lines name them.
            let before = order.lines.get(..place).unwrap_or_default();
            let is_first_of_product = before.iter().all(|other| other.product != line.product);
            let is_first_of_category = before.iter().all(|other| other.category != line.category);
            if let Some(sums) = self.products.get_mut(line.product) {
                sums.add(is_first_of_product.into(), line.quantity, line.revenue());
            }
            if let Some(sums) = self.categories.get_mut(line.category) {
                sums.add(is_first_of_category.into(), 0, line.revenue());
            }
        }
        if let Some(sums) = self.customers.get_mut(order.customer) {
            sums.add(1, 0, order.total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn order(customer: usize, lines: &[(usize, usize, i32, &str)]) -> PricedOrder {
        let line = |&(product, category, quantity, price): &(usize, usize, i32, &str)| PricedLine {
            product,
            product_id: 0,
            category,
            quantity,
            price: money(price),
        };
        let lines: Vec<PricedLine> = lines.iter().map(line).collect();
        let total = lines.iter().fold(Money::ZERO, |total, line| plus(total, line.revenue()));
        PricedOrder { customer, lines, total }
    }

    fn sums(quantity: i64, revenue: &str, orders: i64) -> Sums {
        Sums { quantity, revenue: money(revenue), orders }
    }

    #[test]
    fn an_order_counts_once_per_product_category_and_customer() {
        let mut expected = Expected::zero(3, 2);
        let lines = [(0, 0, 2, "0.0001"), (0, 0, 1, "4.5"), (1, 0, 3, "1.25"), (2, 1, 1, "7")];
        expected.add(&order(1, &lines));
        expected.add(&order(1, &[(2, 1, 2, "0.3333")]));
        assert_eq!(
            expected.products,
            [sums(3, "4.5002", 1), sums(3, "3.75", 1), sums(3, "7.6666", 2)]
        );
        assert_eq!(expected.categories[..2], [sums(0, "8.2502", 1), sums(0, "7.6666", 2)]);
        assert_eq!(expected.customers, [Sums::default(), sums(0, "15.9168", 2)]);
    }

    #[test]
    fn unknown_outcomes_explain_what_lies_between() {
        let (accepted, unknown) = (sums(5, "10", 2), sums(3, "4.5", 1));
        assert!(accepted.explains(&unknown, &sums(8, "14.5", 3)));
        assert!(accepted.explains(&unknown, &accepted));
        assert!(!accepted.explains(&unknown, &sums(4, "10", 2)));
        assert!(!accepted.explains(&unknown, &sums(5, "14.5001", 2)));
        assert!(!accepted.explains(&Sums::default(), &sums(5, "10", 3)));
    }

    #[test]
    fn sums_are_read_from_each_view() {
        let read = |text: &str| serde_json::from_str::<Sums>(text).unwrap();
        let product = r#"{"productId":5,"totalQuantitySold":3,"totalRevenue":4.5002,
                          "totalSales":4.5002,"orderCount":1}"#;
        assert_eq!(read(product), sums(3, "4.5002", 1));
        let category = r#"{"category":"Tea","totalRevenue":8.25,"totalOrders":2}"#;
        assert_eq!(read(category), sums(0, "8.25", 2));
        let customer = r#"{"customerId":7,"totalSpent":8.25,"orderCount":2,"lastOrderDate":null}"#;
        assert_eq!(read(customer), sums(0, "8.25", 2));
    }
}
