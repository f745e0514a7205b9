//! What an order comes to, by the catalogue and by what was negotiated.

use crate::created::Created;
use crate::plan::{Order, Plan};
use shared_events::Money;

/// An order with all that sums are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedOrder {
    /// Which of the run's customers, from 0.
    pub customer: u32,
    /// In the order sent.
    pub lines: Vec<PricedLine>,
    /// Of all lines.
    pub total: Money,
}

/// A line with its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedLine {
    /// Which of the run's products, from 0.
    pub product: u32,
    /// The number of its category.
    pub category: usize,
    /// Pieces.
    pub quantity: i32,
    /// Of one piece.
    pub price: Money,
    /// Pieces taken from the stock: none of a product without.
    pub stock_taken: i32,
}

impl PricedLine {
    /// The line's revenue.
    pub fn revenue(&self) -> Money {
        self.price.checked_times(self.quantity).unwrap_or(self.price)
    }
}

/// What an order comes to.
pub fn priced(order: &Order, plan: &Plan, created: &Created) -> PricedOrder {
    let lines = order.lines.iter().map(|line| {
        let member = created.products.get(line.product as usize);
        let terms = plan.terms(member.map_or(0, |member| member.index));
        PricedLine {
            product: line.product,
            category: terms.category,
            quantity: line.quantity,
            price: line.negotiated.unwrap_or(terms.price),
            stock_taken: if terms.stock.is_some() { line.quantity } else { 0 },
        }
    });
    let lines: Vec<PricedLine> = lines.collect();
    let total = lines.iter().fold(Money::ZERO, |total, line| plus(total, line.revenue()));
    PricedOrder { customer: order.customer, lines, total }
}

/// The sum. All amounts of a run together are far below what [`Money`] holds:
/// 10^7 orders of 9,000 each.
pub fn plus(sum: Money, amount: Money) -> Money {
    sum.checked_add(amount).unwrap_or(sum)
}
