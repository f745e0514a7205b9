//! What a run has created.

use crate::findings::Finding;
use crate::plan::{Order, Plan};
use chrono::{DateTime, Utc};

/// A user or product that exists, or a bare customer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number in the plan.
    pub index: u32,
    /// The id that the shop has given it.
    pub id: i64,
}

/// What became of a planned request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate<T> {
    /// Not sent, or without effect.
    Absent,
    /// It may have taken effect.
    Unknown,
    /// It took effect.
    Made(T),
}

/// An order that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its id.
    pub id: i64,
    /// When, by the shop's clock.
    pub at: DateTime<Utc>,
}

/// What the run has created.
#[derive(Debug)]
pub struct Created {
    /// Who orders, by ascending number in the plan: users, or ids without.
    pub customers: Vec<Member>,
    /// Whether the customers are users.
    pub are_users: bool,
    /// What is ordered, by ascending number in the plan.
    pub products: Vec<Member>,
    /// Whether there can be no further product of the run.
    pub are_all_products_known: bool,
    /// By number in the plan.
    pub orders: Vec<Fate<Placed>>,
    /// Whether answers to orders had the right total.
    pub answers: Finding,
}

impl Created {
    /// Order number `index` of the plan, among the customers and products that
    /// exist.
    pub fn order(&self, plan: &Plan, index: u32) -> Order {
        plan.order(index, self.customers.len() as u32, self.products.len() as u32)
    }

    /// The id of the order that was placed last.
    pub fn last_order(&self) -> Option<i64> {
        let placed = self.orders.iter().filter_map(|fate| match fate {
            Fate::Made(placed) => Some(placed),
            Fate::Unknown | Fate::Absent => None,
        });
        placed.max_by_key(|placed| (placed.at, placed.id)).map(|placed| placed.id)
    }

    /// The id of the customer at that place; 0 if there is none.
    pub fn customer_id(&self, place: u32) -> i64 {
        self.customers.get(place as usize).map_or(0, |member| member.id)
    }

    /// The id of the product at that place; 0 if there is none.
    pub fn product_id(&self, place: u32) -> i64 {
        self.products.get(place as usize).map_or(0, |member| member.id)
    }
}
