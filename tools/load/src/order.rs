//! An order as planned: its lines, its refund, and what the services show of it.

use crate::bodies::{self, Item, RefundItem};
use shared_events::{Money, OrderStatus};

/// An order to be placed, with its prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The customer's place among the run's customers.
    pub customer: usize,
    pub customer_id: i64,
    /// One to three.
    pub lines: Vec<Line>,
    /// What its refund takes from each line, if it is refunded: units, or an amount only.
    pub refund: Vec<Share>,
}

/// A line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The product's place among the run's products.
    pub product: usize,
    pub product_id: i64,
    /// The number of the product's category.
    pub category: usize,
    pub quantity: i32,
    /// Per unit.
    pub price: Money,
    /// Whether the price replaces that of the catalogue.
    pub is_negotiated: bool,
    /// Whether the product's stock is tracked.
    pub is_tracked: bool,
}

/// A part of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub quantity: i32,
    pub amount: Money,
}

/// The commands that an order has had: each stage follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Placed,
    Paid,
    Refunded,
}

impl Order {
    /// The sum of the lines.
    pub fn total(&self) -> Money {
        sum(self.lines.iter().map(Line::revenue))
    }

    /// The request that places it.
    pub fn request(&self) -> bodies::Order {
        bodies::Order {
            id: None,
            customer_id: self.customer_id,
            total: None,
            status: None,
            refunded_total: None,
            items: self.items(|line| line.is_negotiated),
            refunds: Vec::new(),
        }
    }

    /// What the query service shows of it at a stage. The command service shows no refunds.
    pub fn shown(&self, id: i64, stage: Stage) -> bodies::Order {
        let refunds = if stage == Stage::Refunded { vec![self.refund_shown(id)] } else { vec![] };
        let refunded_total = refunds.iter().filter_map(|refund| refund.amount);
        bodies::Order {
            id: Some(id),
            customer_id: self.customer_id,
            total: Some(self.total()),
            status: Some(self.status(stage).as_str().to_owned()),
            refunded_total: Some(sum(refunded_total)),
            items: self.items(|_| true),
            refunds,
        }
    }

    /// The request that refunds it.
    pub fn refund_request(&self) -> bodies::Refund {
        let is_of_units = self.refund.iter().any(|share| share.quantity > 0);
        let amount = sum(self.refund.iter().map(|share| share.amount));
        bodies::Refund {
            order_id: None,
            items: if is_of_units { self.refund_items(false) } else { Vec::new() },
            amount: (!is_of_units).then_some(amount),
            refunded_total: None,
            status: None,
        }
    }

    /// What the services show of its refund.
    pub fn refund_shown(&self, order_id: i64) -> bodies::Refund {
        let amount = Some(sum(self.refund.iter().map(|share| share.amount)));
        bodies::Refund {
            order_id: Some(order_id),
            items: self.refund_items(true),
            amount,
            refunded_total: amount,
            status: Some(self.status(Stage::Refunded).as_str().to_owned()),
        }
    }

    /// Whether its refund takes everything.
    pub fn is_refunded_whole(&self) -> bool {
        // Units are refunded at the price paid.
        self.lines.iter().zip(&self.refund).all(|(line, share)| line.quantity == share.quantity)
    }

    /// What is sold of each line at a stage, after the refund.
    pub fn sold(&self, stage: Stage) -> Vec<Share> {
        let sold = |(line, refund): (&Line, &Share)| {
            let all = Share { quantity: line.quantity, amount: line.revenue() };
            if stage == Stage::Refunded { all.minus(*refund) } else { all }
        };
        self.lines.iter().zip(&self.refund).map(sold).collect()
    }

    fn status(&self, stage: Stage) -> OrderStatus {
        match stage {
            Stage::Placed => OrderStatus::Created,
            Stage::Refunded if self.is_refunded_whole() => OrderStatus::Refunded,
            Stage::Paid | Stage::Refunded => OrderStatus::Paid,
        }
    }

    fn items(&self, shows_price: fn(&Line) -> bool) -> Vec<Item> {
        let item = |line: &Line| Item {
            product_id: line.product_id,
            quantity: line.quantity,
            price: shows_price(line).then_some(line.price),
        };
        self.lines.iter().map(item).collect()
    }

    /// The lines from which the refund takes something. A request leaves out the results.
    fn refund_items(&self, shows_results: bool) -> Vec<RefundItem> {
        let taken = self.lines.iter().zip(&self.refund);
        let taken = taken.filter(|(_, share)| **share != Share::default());
        let item = |(line, share): (&Line, &Share)| RefundItem {
            product_id: line.product_id,
            quantity: share.quantity,
            amount: shows_results.then_some(share.amount),
            stock_returned: shows_results.then_some(share.quantity * i32::from(line.is_tracked)),
        };
        taken.map(item).collect()
    }
}

impl Line {
    /// The price of all units.
    pub fn revenue(&self) -> Money {
        self.price_of(self.quantity)
    }

    fn price_of(&self, units: i32) -> Money {
        self.price.checked_times(units).unwrap_or(self.price)
    }
}

impl Share {
    fn minus(self, part: Self) -> Self {
        Self { quantity: self.quantity - part.quantity, amount: minus(self.amount, part.amount) }
    }
}

/// The shares of the first `units` units, in the order of the lines: the services refund units of
/// the first lines of a product first.
pub fn refunded_units(lines: &[Line], mut units: i32) -> Vec<Share> {
    let share = |line: &Line| {
        let quantity = units.min(line.quantity);
        units -= quantity;
        Share { quantity, amount: line.price_of(quantity) }
    };
    lines.iter().map(share).collect()
}

/// The shares of an amount, which is at most the sum of the lines: in proportion to the lines.
pub fn refunded_amount(lines: &[Line], amount: Money) -> Vec<Share> {
    let weights: Vec<Money> = lines.iter().map(Line::revenue).collect();
    let amounts = amount.spread(&weights).unwrap_or_default();
    amounts.into_iter().map(|amount| Share { quantity: 0, amount }).collect()
}

/// The sum. It cannot overflow: all amounts of a run, 10^7 orders of 9,000 each, are far
/// below the limit of [`Money`].
pub fn plus(sum: Money, amount: Money) -> Money {
    sum.checked_add(amount).unwrap_or(sum)
}

/// The difference of amounts of a run.
pub fn minus(amount: Money, part: Money) -> Money {
    amount.checked_sub(part).unwrap_or(amount)
}

/// The sum of amounts of a run.
pub fn sum(amounts: impl Iterator<Item = Money>) -> Money {
    amounts.fold(Money::ZERO, plus)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    /// An order of lines of product, category, quantity and price, whose refund takes nothing.
    pub fn order(customer: usize, lines: &[(usize, usize, i32, &str)]) -> Order {
        let line = |&(product, category, quantity, price): &(usize, usize, i32, &str)| Line {
            product,
            product_id: product as i64 + 1,
            category,
            quantity,
            price: money(price),
            is_negotiated: false,
            is_tracked: product > 0,
        };
        let lines: Vec<Line> = lines.iter().map(line).collect();
        let refund = vec![Share::default(); lines.len()];
        Order { customer, customer_id: 7, lines, refund }
    }

    fn json(body: &impl serde::Serialize) -> String {
        serde_json::to_string(body).unwrap()
    }

    #[test]
    fn units_are_refunded_from_the_first_lines_at_the_price_paid() {
        let mut order = order(0, &[(0, 0, 2, "2.5"), (1, 0, 3, "0.0001"), (0, 0, 1, "4")]);
        order.refund = refunded_units(&order.lines, 3);
        let request = r#"{"items":[{"productId":1,"quantity":2},{"productId":2,"quantity":1}]}"#;
        assert_eq!(json(&order.refund_request()), request);
        assert_eq!(
            json(&order.refund_shown(5)),
            r#"{"orderId":5,"items":[{"productId":1,"quantity":2,"amount":5,"stockReturned":0},{"productId":2,"quantity":1,"amount":0.0001,"stockReturned":1}],"amount":5.0001,"refundedTotal":5.0001,"status":"PAID"}"#
        );
        let shown = order.shown(5, Stage::Refunded);
        assert_eq!(
            (shown.total, shown.refunded_total),
            (Some(money("9.0003")), Some(money("5.0001")))
        );
        assert_eq!(shown.refunds, [order.refund_shown(5)]);
        order.refund = refunded_units(&order.lines, 6);
        assert_eq!(order.shown(5, Stage::Refunded).status.as_deref(), Some("REFUNDED"));
        assert_eq!(order.sold(Stage::Refunded), [Share::default(); 3]);
    }

    #[test]
    fn an_amount_is_refunded_from_all_lines_and_no_unit_with_it() {
        let mut order = order(0, &[(0, 0, 2, "1"), (1, 0, 1, "0"), (2, 0, 1, "1")]);
        order.refund = refunded_amount(&order.lines, money("0.01"));
        assert_eq!(json(&order.refund_request()), r#"{"amount":0.01}"#);
        let items = order.refund_shown(5).items;
        let amounts: Vec<Option<Money>> = items.iter().map(|item| item.amount).collect();
        assert_eq!(amounts, [Some(money("0.0067")), Some(money("0.0033"))]);
        // Even if no amount is left.
        order.refund = refunded_amount(&order.lines, money("3"));
        assert_eq!(order.shown(5, Stage::Refunded).status.as_deref(), Some("PAID"));
    }

    #[test]
    fn an_order_shows_its_stage() {
        let order = order(0, &[(0, 0, 2, "1")]);
        for (stage, status) in [(Stage::Placed, "CREATED"), (Stage::Paid, "PAID")] {
            let shown = order.shown(5, stage);
            assert_eq!(shown.status.as_deref(), Some(status));
            assert_eq!((shown.refunded_total, shown.refunds), (Some(Money::ZERO), Vec::new()));
        }
    }
}
