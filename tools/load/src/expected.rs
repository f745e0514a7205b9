//! The sums that the views must show, computed from the orders.

use crate::created::{Created, Placement};
use crate::order::{Order, Share, Stage, minus, plus, sum};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use shared_events::Money;

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

/// The sales of a product by hour, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Hour>", into = "Sums")]
pub struct Hours(pub Sums);

/// The sales of a product in an hour.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hour {
    total_orders: i64,
    total_quantity: i64,
    total_sales: Money,
}

/// Sums over the accepted commands, and what those of unknown outcome may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub accepted: Sums,
    /// What orders of unknown outcome may add.
    pub added: Sums,
    /// What refunds of unknown outcome may take.
    pub refunded: Sums,
}

/// The sums that all views must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// By the product's place among the run's products.
    pub products: Vec<Bounds>,
    /// By the category's number, without quantities.
    pub categories: Vec<Bounds>,
    /// By the customer's place among the run's customers, without quantities.
    pub customers: Vec<Bounds>,
}

impl Sums {
    fn add(&mut self, orders: i64, quantity: i32, revenue: Money) {
        self.orders += orders;
        self.quantity += i64::from(quantity);
        self.revenue = plus(self.revenue, revenue);
    }
}

impl From<Vec<Hour>> for Hours {
    fn from(hours: Vec<Hour>) -> Self {
        Self(Sums {
            orders: hours.iter().map(|hour| hour.total_orders).sum(),
            quantity: hours.iter().map(|hour| hour.total_quantity).sum(),
            revenue: sum(hours.iter().map(|hour| hour.total_sales)),
        })
    }
}

impl From<Hours> for Sums {
    fn from(Hours(sums): Hours) -> Self {
        sums
    }
}

impl Bounds {
    /// Whether `shown` is possible if only some commands of unknown outcome had an effect.
    pub fn explain(&self, shown: &Sums) -> bool {
        let Self { accepted, added, refunded } = self;
        let least = accepted.orders - refunded.orders;
        let orders = least..=accepted.orders + added.orders;
        let least = accepted.quantity - refunded.quantity;
        let quantities = least..=accepted.quantity + added.quantity;
        let least = minus(accepted.revenue, refunded.revenue);
        let revenues = least..=plus(accepted.revenue, added.revenue);
        orders.contains(&shown.orders)
            && quantities.contains(&shown.quantity)
            && revenues.contains(&shown.revenue)
    }
}

impl Expected {
    /// The sums over the run's orders.
    pub fn of(created: &Created, plan: &Plan) -> Self {
        let mut expected = Self::zero(created.products.len(), created.customers.len());
        for (number, placement) in (0..).zip(&created.orders) {
            if *placement != Placement::NotPlaced {
                let order = plan.order(number, &created.customers, &created.products);
                expected.add(&order, *placement);
            }
        }
        expected
    }

    fn zero(products: usize, customers: usize) -> Self {
        Self {
            products: vec![Bounds::default(); products],
            categories: vec![Bounds::default(); Plan::CATEGORIES],
            customers: vec![Bounds::default(); customers],
        }
    }

    fn add(&mut self, order: &Order, placement: Placement) {
        let all = || order.sold(Stage::Placed);
        let is_refunded_whole = order.is_refunded_whole();
        match placement {
            Placement::NotPlaced => {}
            Placement::Unknown => self.add_shares(order, &all(), true, |sums| &mut sums.added),
            Placement::Placed(placed) => {
                // An order counts until it is refunded whole.
                let counts = placed.stage < Stage::Refunded || !is_refunded_whole;
                let sold = order.sold(placed.stage);
                self.add_shares(order, &sold, counts, |sums| &mut sums.accepted);
                if placed.stage < placed.possible && placed.possible == Stage::Refunded {
                    let refund = &order.refund;
                    self.add_shares(order, refund, is_refunded_whole, |sums| &mut sums.refunded);
                }
            }
        }
    }

    /// Adds a share of each line, and the order to the counts if `counts`.
    fn add_shares(
        &mut self,
        order: &Order,
        shares: &[Share],
        counts: bool,
        sums: fn(&mut Bounds) -> &mut Sums,
    ) {
        for (place, (line, share)) in order.lines.iter().zip(shares).enumerate() {
            // An order counts once per product and category, however many lines name them.
            let before = &order.lines[..place];
            let is_first_of_product = before.iter().all(|other| other.product != line.product);
            let is_first_of_category = before.iter().all(|other| other.category != line.category);
            let Share { quantity, amount } = *share;
            let product = sums(&mut self.products[line.product]);
            product.add((counts && is_first_of_product).into(), quantity, amount);
            let category = sums(&mut self.categories[line.category]);
            category.add((counts && is_first_of_category).into(), 0, amount);
        }
        let amount = sum(shares.iter().map(|share| share.amount));
        sums(&mut self.customers[order.customer]).add(counts.into(), 0, amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::created::Placed;
    use crate::order::tests::{money, order};
    use crate::order::{refunded_amount, refunded_units};

    fn sums(quantity: i64, revenue: &str, orders: i64) -> Sums {
        Sums { quantity, revenue: money(revenue), orders }
    }

    fn at(stage: Stage) -> Placement {
        Placement::Placed(Placed::at(5, stage))
    }

    fn accepted(bounds: &[Bounds]) -> Vec<Sums> {
        bounds.iter().map(|bounds| bounds.accepted).collect()
    }

    #[test]
    fn an_order_counts_once_per_product_category_and_customer() {
        let mut expected = Expected::zero(3, 2);
        let lines = [(0, 0, 2, "0.0001"), (0, 0, 1, "4.5"), (1, 0, 3, "1.25"), (2, 1, 1, "7")];
        expected.add(&order(1, &lines), at(Stage::Placed));
        expected.add(&order(1, &[(2, 1, 2, "0.3333")]), at(Stage::Paid));
        assert_eq!(
            accepted(&expected.products),
            [sums(3, "4.5002", 1), sums(3, "3.75", 1), sums(3, "7.6666", 2)]
        );
        let categories = accepted(&expected.categories);
        assert_eq!(categories[..2], [sums(0, "8.2502", 1), sums(0, "7.6666", 2)]);
        assert_eq!(accepted(&expected.customers), [Sums::default(), sums(0, "15.9168", 2)]);
    }

    #[test]
    fn refunds_leave_the_sums_and_whole_ones_the_counts() {
        let mut expected = Expected::zero(2, 1);
        let mut order = order(0, &[(0, 0, 2, "1.5"), (1, 1, 1, "7")]);
        order.refund = refunded_units(&order.lines, 1);
        expected.add(&order, at(Stage::Refunded));
        assert_eq!(accepted(&expected.products), [sums(1, "1.5", 1), sums(1, "7", 1)]);
        order.refund = refunded_amount(&order.lines, money("1"));
        expected.add(&order, at(Stage::Refunded));
        assert_eq!(accepted(&expected.products), [sums(3, "4.2", 2), sums(2, "13.3", 2)]);
        assert_eq!(accepted(&expected.customers), [sums(0, "17.5", 2)]);
        let before = expected.clone();
        order.refund = refunded_units(&order.lines, 3);
        expected.add(&order, at(Stage::Refunded));
        assert_eq!(expected, before);
    }

    #[test]
    fn unknown_outcomes_explain_what_lies_between() {
        let mut expected = Expected::zero(1, 1);
        let mut order = order(0, &[(0, 0, 3, "1.5")]);
        expected.add(&order, at(Stage::Placed));
        expected.add(&order, Placement::Unknown);
        expected.add(&order, at(Stage::Placed).possibly_at(Stage::Paid));
        let explains = |expected: &Expected, quantity, revenue, orders| {
            expected.products[0].explain(&sums(quantity, revenue, orders))
        };
        assert!(explains(&expected, 6, "9", 2) && explains(&expected, 9, "13.5", 3));
        assert!(!explains(&expected, 5, "9", 2) && !explains(&expected, 6, "9", 1));
        assert!(!explains(&expected, 6, "13.5001", 2) && !explains(&expected, 6, "9", 4));
        order.refund = refunded_units(&order.lines, 1);
        expected.add(&order, at(Stage::Paid).possibly_at(Stage::Refunded));
        assert_eq!(expected.products[0].accepted, sums(9, "13.5", 3));
        assert!(explains(&expected, 8, "12", 3) && explains(&expected, 12, "18", 4));
        assert!(!explains(&expected, 8, "11.9999", 3) && !explains(&expected, 8, "12", 2));
        order.refund = refunded_units(&order.lines, 3);
        expected.add(&order, at(Stage::Paid).possibly_at(Stage::Refunded));
        assert!(explains(&expected, 8, "12", 3) && !explains(&expected, 8, "12", 2));
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
        let hours = r#"[{"windowStart":"2026-11-21T11:00:00Z","windowEnd":"2026-11-21T12:00:00Z",
                         "productId":5,"totalSales":8.25,"totalQuantity":2,"totalOrders":1},
                        {"windowStart":"2026-11-21T12:00:00Z","windowEnd":"2026-11-21T13:00:00Z",
                         "productId":5,"totalSales":0.0001,"totalQuantity":1,"totalOrders":1}]"#;
        assert_eq!(serde_json::from_str::<Hours>(hours).unwrap(), Hours(sums(3, "8.2501", 2)));
    }
}
