//! What events add to a row of a sales view.

use super::order_change::{Effect, Sale, SalesLine};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use std::ops::{AddAssign, SubAssign};
use strum::EnumTryAs;

/// The key of a row: a value for each dimension.
pub type Key<'a> = Vec<KeyValue<'a>>;

/// The value of a key column.
#[derive(Clone, Copy, Debug, EnumTryAs, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValue<'a> {
    Id(i64),
    Text(&'a str),
    Time(DateTime<Utc>),
}

/// Figures of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Units.
    pub quantity: i64,
    /// An order's total is below 10^12 and a batch has at most 65,535 orders, so the sum fits
    /// a `Decimal` with four decimals, whose limit is near 7.9 × 10^24. The database checks
    /// whether it fits the view.
    pub revenue: Decimal,
    /// Number of orders.
    pub orders: i64,
}

/// What a batch of events adds to one row of a sales view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Of orders placed, less those cancelled, less those refunded.
    pub total: Figures,
    pub cancelled: Figures,
    pub refunded: Figures,
    /// Units taken from the stock, less those returned.
    pub stock_taken: i64,
    pub stock_moved_at: Option<DateTime<Utc>>,
    pub last_order_date: Option<DateTime<Utc>>,
}

impl Delta {
    /// Adds the lines of a sale that belong to the row, and `orders` to the number of orders.
    pub fn add(&mut self, sale: &Sale<'_>, lines: &[SalesLine<'_>], orders: i64) {
        let change = &sale.change;
        let sum = |units: fn(&SalesLine<'_>) -> i32| -> i64 {
            lines.iter().map(|line| i64::from(units(line))).sum()
        };
        let revenue = lines.iter().map(|line| line.amount.as_decimal()).sum();
        let mut figures = Figures { quantity: sum(|line| line.quantity), revenue, orders };
        let stock_moved = sum(|line| line.stock_moved);
        match sale.effect {
            Effect::Placed => {
                self.total += figures;
                self.stock_taken += stock_moved;
                self.last_order_date = self.last_order_date.max(Some(change.ordered_at));
            }
            Effect::Cancelled => {
                self.total -= figures;
                self.cancelled += figures;
                self.stock_taken -= stock_moved;
            }
            Effect::Refunded { whole } => {
                if !whole {
                    figures.orders = 0;
                }
                self.total -= figures;
                self.refunded += figures;
                self.stock_taken -= stock_moved;
                if stock_moved == 0 {
                    return;
                }
            }
        }
        self.stock_moved_at = self.stock_moved_at.max(Some(change.changed_at));
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.quantity += other.quantity;
        self.revenue += other.revenue;
        self.orders += other.orders;
    }
}

impl SubAssign for Figures {
    fn sub_assign(&mut self, other: Self) {
        self.quantity -= other.quantity;
        self.revenue -= other.revenue;
        self.orders -= other.orders;
    }
}
