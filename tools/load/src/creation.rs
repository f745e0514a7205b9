//! The phases of the load: users, products and orders.

use crate::bodies;
use crate::client::Connection;
use crate::findings::{Compared, Finding};
use crate::outcome::{NotAccepted, judge};
use crate::phase::Drive;
use crate::plan::{Entity, Plan};
use crate::tally::Tally;
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// Sends the load of one run.
#[derive(Debug)]
pub struct Creation<'a> {
    pub drive: Drive<'a>,
    pub plan: &'a Plan,
    /// The phases so far, complete even after an error.
    pub tallies: Vec<Tally>,
    /// Whether the responses to orders show what was ordered.
    pub responses: Finding,
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
#[derive(Debug, Default)]
pub struct Created {
    /// The customers of the orders, by ascending number in the plan.
    pub customers: Vec<Entity>,
    /// By ascending number in the plan.
    pub products: Vec<Entity>,
    /// By number in the plan.
    pub orders: Vec<Placement>,
}

impl Created {
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

/// The response to a created user or product.
#[derive(Debug, Deserialize)]
struct CreatedResponse {
    id: i64,
}

impl Creation<'_> {
    /// Creates users and products and places orders, until a stop is requested. Fails if a phase
    /// was abandoned or nothing of it was accepted.
    pub async fn run(&mut self) -> Result<Created> {
        let (plan, arguments) = (self.plan, self.drive.arguments);
        let customers = match arguments.users {
            0 => plan.customers_without_users(arguments.orders),
            count => self.entities("users", count, |index| json(&plan.user(index))).await?,
        };
        let product = |index| json(&plan.product(index));
        let products = self.entities("products", arguments.products, product).await?;
        let mut created = Created { customers, products, orders: Vec::new() };
        created.orders = self.orders(arguments.orders, &created).await?;
        Ok(created)
    }

    async fn entities(
        &mut self,
        name: &'static str,
        count: u32,
        body: impl Fn(u32) -> Vec<u8>,
    ) -> Result<Vec<Entity>> {
        let path = format!("/api/{name}");
        let entities = RefCell::new(Vec::with_capacity(count as usize));
        let request = async |connection: &mut Connection<'_>, index| {
            let CreatedResponse { id } = post(connection, &path, &body(index)).await?;
            entities.borrow_mut().push(Entity { index, id });
            Ok(())
        };
        self.phase(name, count, request).await?;
        let mut entities = entities.into_inner();
        entities.sort_unstable_by_key(|entity| entity.index);
        Ok(entities)
    }

    /// Places `count` orders and returns the placement of each.
    async fn orders(&mut self, count: u32, created: &Created) -> Result<Vec<Placement>> {
        let plan = self.plan;
        let placements = RefCell::new(vec![Placement::NotPlaced; count as usize]);
        let record = |index: u32, placement| placements.borrow_mut()[index as usize] = placement;
        let responses = RefCell::new(self.responses.clone());
        let request = async |connection: &mut Connection<'_>, index| {
            let order = plan.order(index, &created.customers, &created.products);
            // Stays `Unknown` if there is no response.
            record(index, Placement::Unknown);
            let response = post(connection, "/api/orders", &json(&order.request())).await;
            let response: bodies::Order = response.inspect_err(|why| {
                if matches!(why, NotAccepted::Failed(_)) {
                    record(index, Placement::NotPlaced);
                }
            })?;
            let id = response.id.ok_or_else(|| unreadable("no id"))?;
            record(index, Placement::Placed(id));
            let compared = Compared::of(&format!("order {id}"), &response, &order.shown(id));
            responses.borrow_mut().add(compared);
            Ok(())
        };
        let sent = self.phase("orders", count, request).await;
        self.responses = responses.into_inner();
        sent.map(|()| placements.into_inner())
    }

    /// Sends the requests of a phase, unless there are none or a stop is requested. Fails if it
    /// was abandoned or nothing of it was accepted.
    async fn phase<R>(&mut self, name: &'static str, count: u32, request: R) -> Result<()>
    where
        R: AsyncFn(&mut Connection<'_>, u32) -> Result<(), NotAccepted>,
    {
        let Drive { stop, arguments, .. } = self.drive;
        if count == 0 || stop.is_requested() {
            return Ok(());
        }
        self.tallies.push(self.drive.run(name, count, request).await);
        let end = "the run ends here, without verification";
        match self.tallies.last() {
            Some(tally) if tally.abandoned && !stop.is_requested() => {
                bail!("{name}: nothing was accepted for {} s; {end}", arguments.patience)
            }
            Some(tally) if tally.accepted == 0 && !stop.is_requested() => {
                let most = tally.reasons.iter().max_by_key(|(_, count)| **count);
                let why = most.map(|(why, _)| why.as_str()).unwrap_or_default();
                bail!("{name}: none was accepted ({why}); {end}")
            }
            _ => Ok(()),
        }
    }
}

/// Sends a command. A response without an id leaves the outcome unknown.
async fn post<T: for<'de> Deserialize<'de>>(
    connection: &mut Connection<'_>,
    path: &str,
    body: &[u8],
) -> Result<T, NotAccepted> {
    let body = judge(connection.post(path, body).await)?;
    serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> NotAccepted {
    NotAccepted::Unknown(format!("accepted, but unreadable: {why}"))
}

/// Serializes a value that can always be written as JSON.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}
