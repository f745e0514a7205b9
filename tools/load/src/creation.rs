//! The phases of the load: users, products and orders.

use crate::client::{Connection, Server};
use crate::created::{Created, Entity, Placement};
use crate::expected::{PricedOrder, priced};
use crate::findings::{Compared, Finding};
use crate::outcome::{Outcome, judge};
use crate::phase::{Drive, Phase};
use crate::plan::{Order, Plan};
use crate::run_id::RunId;
use crate::tally::Tally;
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use shared_events::Money;
use std::cell::RefCell;

#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// With 0 users, orders name customer ids that only this run uses.
    pub users: u32,
    pub products: u32,
    pub orders: u32,
}

/// Sends the load of one run.
#[derive(Clone, Copy, Debug)]
pub struct Creation<'a> {
    pub drive: Drive<'a>,
    pub server: &'a Server,
    pub plan: &'a Plan,
}

/// The response to a created user or product.
#[derive(Debug, Deserialize)]
struct CreatedResponse {
    id: i64,
}

/// The response to an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderResponse {
    id: i64,
    customer_id: i64,
    total: Money,
}

#[derive(Debug, Serialize)]
struct UserBody {
    name: String,
    email: String,
}

#[derive(Debug, Serialize)]
struct ProductBody {
    name: String,
    category: String,
    price: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<i32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderBody {
    customer_id: i64,
    items: Vec<LineBody>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LineBody {
    product_id: i64,
    quantity: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
}

impl Creation<'_> {
    /// Creates users and products and places orders, until a stop is requested. `tallies`
    /// are complete even after an error. Fails if a phase was abandoned or nothing of it was
    /// accepted.
    pub async fn run(
        &self,
        amounts: Amounts,
        run: RunId,
        tallies: &mut Vec<Tally>,
    ) -> Result<Created> {
        let mut created = Created {
            customers: Vec::new(),
            are_users: amounts.users > 0,
            products: Vec::new(),
            orders: Vec::new(),
            responses: Finding::new("responses to orders"),
        };
        if created.are_users {
            let body = |index| {
                let user = self.plan.user(index);
                json(&UserBody { name: user.name, email: user.email })
            };
            let (tally, users) = self.entities("users", "/api/users", amounts.users, body).await;
            created.customers = users;
            tallies.push(tally);
            self.check(tallies)?;
        } else {
            let ids = run.customer_ids(amounts.orders);
            created.customers = ids.zip(0..).map(|(id, index)| Entity { index, id }).collect();
        }
        if amounts.products > 0 && !self.drive.stop.is_requested() {
            let body = |index| {
                let terms = self.plan.terms(index);
                json(&ProductBody {
                    name: self.plan.product_name(index),
                    category: self.plan.category_name(terms.category),
                    price: terms.price,
                    stock: terms.stock,
                })
            };
            let count = amounts.products;
            let (tally, products) = self.entities("products", "/api/products", count, body).await;
            created.products = products;
            tallies.push(tally);
            self.check(tallies)?;
        }
        if amounts.orders > 0 && !self.drive.stop.is_requested() {
            tallies.push(self.orders(amounts.orders, &mut created).await);
            self.check(tallies)?;
        }
        Ok(created)
    }

    /// Fails if the last phase was abandoned or nothing of it was accepted.
    fn check(&self, tallies: &[Tally]) -> Result<()> {
        let Some(tally) = tallies.last().filter(|_| !self.drive.stop.is_requested()) else {
            return Ok(());
        };
        let end = "the run ends here, without verification";
        if tally.abandoned {
            let patience = self.drive.patience.as_secs();
            bail!("{}: nothing was accepted for {patience} s; {end}", tally.name);
        }
        if tally.accepted == 0 {
            let most = tally.reasons.iter().max_by_key(|(_, count)| **count);
            let why = most.map(|(why, _)| why.as_str()).unwrap_or_default();
            bail!("{}: none was accepted ({why}); {end}", tally.name);
        }
        Ok(())
    }

    async fn entities(
        &self,
        name: &'static str,
        path: &str,
        count: u32,
        body: impl Fn(u32) -> Vec<u8>,
    ) -> (Tally, Vec<Entity>) {
        let entities = RefCell::new(Vec::with_capacity(count as usize));
        let phase = Phase { name, server: self.server, count };
        let request = async |connection: &mut Connection<'_>, index| match post(
            connection,
            path,
            &body(index),
        )
        .await
        {
            Ok(CreatedResponse { id }) => {
                entities.borrow_mut().push(Entity { index, id });
                Outcome::Accepted
            }
            Err(outcome) => outcome,
        };
        let tally = self.drive.run(phase, request).await;
        let mut entities = entities.into_inner();
        entities.sort_unstable_by_key(|entity: &Entity| entity.index);
        (tally, entities)
    }

    /// Places `count` orders and records the placement of each.
    async fn orders(&self, count: u32, created: &mut Created) -> Tally {
        let placements = RefCell::new(vec![Placement::NotPlaced; count as usize]);
        let record = |index: u32, placement| {
            if let Some(recorded) = placements.borrow_mut().get_mut(index as usize) {
                *recorded = placement;
            }
        };
        let responses = RefCell::new(created.responses.clone());
        let existing = &*created;
        let phase = Phase { name: "orders", server: self.server, count };
        let request = async |connection: &mut Connection<'_>, index| {
            let order = existing.order(self.plan, index);
            let expected = priced(&order, self.plan, existing);
            let body = body(&order, &expected, existing);
            // Stays so if there is no response.
            record(index, Placement::Unknown);
            match post::<OrderResponse>(connection, "/api/orders", &json(&body)).await {
                Ok(response) => {
                    let shown = (response.customer_id, response.total);
                    let expected = (body.customer_id, expected.total);
                    let subject = format!("order {}", response.id);
                    responses.borrow_mut().add(Compared::of(&subject, &shown, &expected));
                    record(index, Placement::Placed(response.id));
                    Outcome::Accepted
                }
                Err(outcome) => {
                    if matches!(outcome, Outcome::Failed(_)) {
                        record(index, Placement::NotPlaced);
                    }
                    outcome
                }
            }
        };
        let tally = self.drive.run(phase, request).await;
        created.orders = placements.into_inner();
        created.responses = responses.into_inner();
        tally
    }
}

fn body(order: &Order, priced: &PricedOrder, created: &Created) -> OrderBody {
    let lines = order.lines.iter().zip(&priced.lines);
    OrderBody {
        customer_id: created.customers.get(order.customer as usize).map_or(0, |it| it.id),
        items: lines
            .map(|(line, priced)| LineBody {
                product_id: priced.product_id,
                quantity: line.quantity,
                price: line.negotiated,
            })
            .collect(),
    }
}

/// Sends a command. A response without an id leaves the outcome unknown.
async fn post<T: for<'de> Deserialize<'de>>(
    connection: &mut Connection<'_>,
    path: &str,
    body: &[u8],
) -> Result<T, Outcome> {
    let body = judge(connection.post(path, body).await)?;
    serde_json::from_slice(body)
        .map_err(|error| Outcome::Unknown(format!("accepted, but unreadable: {error}")))
}

/// JSON of what always can be written as JSON.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}
