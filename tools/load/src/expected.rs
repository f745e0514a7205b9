//! The sums that the views must show, computed from the orders.

use crate::creation::{Created, Placement};
use crate::plan::{Order, Plan, plus};
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
            sums.add(&plan.order(index, &created.customers, &created.products));
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

    fn add(&mut self, order: &Order) {
        for (place, line) in order.lines.iter().enumerate() {
            // An order counts once per product and category, however many lines name them.
            let before = &order.lines[..place];
            let is_first_of_product = before.iter().all(|other| other.product != line.product);
            let is_first_of_category = before.iter().all(|other| other.category != line.category);
            let revenue = line.revenue();
            self.products[line.product].add(is_first_of_product.into(), line.quantity, revenue);
            self.categories[line.category].add(is_first_of_category.into(), 0, revenue);
        }
        self.customers[order.customer].add(1, 0, order.total());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Line;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn order(customer: usize, lines: &[(usize, usize, i32, &str)]) -> Order {
        let line = |&(product, category, quantity, price): &(usize, usize, i32, &str)| Line {
            product,
            product_id: 0,
            category,
            quantity,
            price: money(price),
            is_negotiated: false,
        };
        Order { customer, customer_id: 0, lines: lines.iter().map(line).collect() }
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
