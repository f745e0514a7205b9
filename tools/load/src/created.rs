//! The users, products and orders that a run has created.

use crate::findings::Finding;
use crate::plan::{Order, Plan};

/// A created user or product, or a customer id without a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its number in the plan.
    pub index: u32,
    /// The id that the command service returned.
    pub id: i64,
}

/// The outcome of a planned order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It was not sent, or had no effect.
    NotPlaced,
    /// It may have had an effect.
    Unknown,
    /// It was accepted and has this id.
    Placed(i64),
}

/// What the run has created.
#[derive(Debug)]
pub struct Created {
    /// The customers of the orders, by ascending number in the plan.
    pub customers: Vec<Entity>,
    /// Whether the customers are users.
    pub are_users: bool,
    /// By ascending number in the plan.
    pub products: Vec<Entity>,
    /// By number in the plan.
    pub orders: Vec<Placement>,
    /// Whether the responses to orders had the right customer and total.
    pub responses: Finding,
}

impl Created {
    /// Order number `index` of the plan, with the customers and products that exist.
    pub fn order(&self, plan: &Plan, index: u32) -> Order {
        plan.order(index, self.customers.len() as u32, self.products.len() as u32)
    }

    /// The accepted orders: number in the plan and id.
    pub fn placed(&self) -> impl Iterator<Item = (u32, i64)> {
        (0..).zip(&self.orders).filter_map(|(index, placement)| match placement {
            Placement::Placed(id) => Some((index, *id)),
            Placement::Unknown | Placement::NotPlaced => None,
        })
    }

    /// The highest id of an accepted order.
    pub fn last_order(&self) -> Option<i64> {
        self.placed().map(|(_, id)| id).max()
    }
}
