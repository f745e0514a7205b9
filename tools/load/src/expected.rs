//! The sums that views must show, folded from the orders.

use crate::pricing::{PricedOrder, plus};
use chrono::{DateTime, Utc};
use shared_events::Money;

/// What a product or a category sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sales {
    /// Pieces.
    pub pieces: i64,
    /// Money.
    pub revenue: Money,
    /// Orders, each once, however many of its lines count here.
    pub orders: i64,
}

/// What a customer spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Money.
    pub spent: Money,
    /// Orders.
    pub orders: i64,
    /// When the last was placed.
    pub last_order: Option<DateTime<Utc>>,
}

/// Sums over orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// By the product's place among the run's products.
    pub products: Vec<Sales>,
    /// By the category's number.
    pub categories: Vec<Sales>,
    /// By the customer's place among the run's customers.
    pub customers: Vec<Spending>,
}

impl Sales {
    fn add(&mut self, pieces: i32, revenue: Money, orders: i64) {
        self.pieces += i64::from(pieces);
        self.revenue = plus(self.revenue, revenue);
        self.orders += orders;
    }

    /// Whether `shown` lies between these sums and those with all of `doubtful`
    /// besides.
    pub fn explains(&self, doubtful: &Self, shown: &Self) -> bool {
        let money = plus(self.revenue, doubtful.revenue);
        (self.pieces..=self.pieces + doubtful.pieces).contains(&shown.pieces)
            && (self.revenue..=money).contains(&shown.revenue)
            && (self.orders..=self.orders + doubtful.orders).contains(&shown.orders)
    }
}

impl Spending {
    /// Whether `shown` lies between these sums and those with all of `doubtful`
    /// besides.
    pub fn explains(&self, doubtful: &Self, shown: &Self) -> bool {
        let money = plus(self.spent, doubtful.spent);
        (self.spent..=money).contains(&shown.spent)
            && (self.orders..=self.orders + doubtful.orders).contains(&shown.orders)
            && self.last_order <= shown.last_order
    }
}

impl Expected {
    /// Sums over no orders, of so many products, categories and customers.
    pub fn none(products: usize, categories: usize, customers: usize) -> Self {
        Self {
            products: vec![Sales::default(); products],
            categories: vec![Sales::default(); categories],
            customers: vec![Spending::default(); customers],
        }
    }

    /// Adds an order; `at` is when it was placed, if that is known.
    pub fn add(&mut self, order: &PricedOrder, at: Option<DateTime<Utc>>) {
        add_to_products(&mut self.products, order);
        for (place, line) in order.lines.iter().enumerate() {
            let before = order.lines.iter().take(place);
            let is_first = !before.into_iter().any(|other| other.category == line.category);
            if let Some(sales) = self.categories.get_mut(line.category) {
                sales.add(line.quantity, line.revenue(), is_first.into());
            }
        }
        if let Some(spending) = self.customers.get_mut(order.customer as usize) {
            spending.spent = plus(spending.spent, order.total);
            spending.orders += 1;
            spending.last_order = spending.last_order.max(at);
        }
    }
}

/// Adds an order to the sales of its products.
pub fn add_to_products(products: &mut [Sales], order: &PricedOrder) {
    for (place, line) in order.lines.iter().enumerate() {
        let before = order.lines.iter().take(place);
        let is_first = !before.into_iter().any(|other| other.product == line.product);
        if let Some(sales) = products.get_mut(line.product as usize) {
            sales.add(line.quantity, line.revenue(), is_first.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::PricedLine;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn order(customer: u32, lines: &[(u32, usize, i32, &str)]) -> PricedOrder {
        let line = |&(product, category, quantity, price): &(u32, usize, i32, &str)| PricedLine {
            product,
            category,
            quantity,
            price: money(price),
            stock_taken: quantity,
        };
        let lines: Vec<PricedLine> = lines.iter().map(line).collect();
        let total = lines.iter().fold(Money::ZERO, |total, line| plus(total, line.revenue()));
        PricedOrder { customer, lines, total }
    }

    fn sales(pieces: i64, revenue: &str, orders: i64) -> Sales {
        Sales { pieces, revenue: money(revenue), orders }
    }

    #[test]
    fn an_order_counts_once_per_product_category_and_customer() {
        let at = |second| DateTime::from_timestamp(second, 0);
        let mut expected = Expected::none(3, 2, 2);
        let lines = [(0, 0, 2, "0.0001"), (0, 0, 1, "4.5"), (1, 0, 3, "1.25"), (2, 1, 1, "7")];
        expected.add(&order(1, &lines), at(20));
        expected.add(&order(1, &[(2, 1, 2, "0.3333")]), at(10));
        assert_eq!(
            expected.products,
            [sales(3, "4.5002", 1), sales(3, "3.75", 1), sales(3, "7.6666", 2)]
        );
        assert_eq!(expected.categories, [sales(6, "8.2502", 1), sales(3, "7.6666", 2)]);
        let spending = Spending { spent: money("15.9168"), orders: 2, last_order: at(20) };
        assert_eq!(expected.customers, [Spending::default(), spending]);
    }

    #[test]
    fn unknown_outcomes_explain_what_lies_between() {
        let (sure, doubtful) = (sales(5, "10", 2), sales(3, "4.5", 1));
        assert!(sure.explains(&doubtful, &sales(8, "14.5", 3)));
        assert!(sure.explains(&doubtful, &sure));
        assert!(!sure.explains(&doubtful, &sales(4, "10", 2)));
        assert!(!sure.explains(&doubtful, &sales(5, "14.5001", 2)));
        assert!(!sure.explains(&Sales::default(), &sales(5, "10", 3)));
    }
}
