//! The phases of the load: users, products, orders, payments and refunds.

use crate::bodies::{self, StatusChange};
use crate::client::Connection;
use crate::created::{Created, Placed, Placement};
use crate::findings::{Compared, Finding};
use crate::order::{Order, Stage};
use crate::outcome::{NotAccepted, judge};
use crate::phase::Drive;
use crate::plan::{Entity, Plan};
use crate::tally::Tally;
use anyhow::{Result, bail};
use kit::{Lost, Response};
use serde::{Deserialize, Serialize};
use shared_events::OrderStatus;
use std::cell::RefCell;

/// Sends the load of one run.
#[derive(Debug)]
pub struct Creation<'a> {
    pub drive: Drive<'a>,
    pub plan: &'a Plan,
    /// The phases so far, complete even after an error.
    pub tallies: Vec<Tally>,
    /// Whether the responses to orders, payments and refunds show what was sent.
    pub responses: Vec<Finding>,
}

/// The response to a created user or product.
#[derive(Debug, Deserialize)]
struct CreatedResponse {
    id: i64,
}

impl Creation<'_> {
    /// Creates users and products, and places, pays and refunds orders, until a stop is requested.
    /// Fails if a phase was abandoned or nothing of it was accepted.
    pub async fn run(&mut self) -> Result<Created> {
        let (plan, arguments) = (self.plan, self.drive.arguments);
        let customers = match arguments.users {
            0 => plan.customers_without_users(arguments.orders),
            count => self.entities("users", count, |index| json(&plan.user(index))).await?,
        };
        let product = |index| json(&plan.product(index));
        let products = self.entities("products", arguments.products, product).await?;
        let orders = vec![Placement::NotPlaced; arguments.orders as usize];
        let mut created = Created { customers, products, orders };
        for stage in [Stage::Placed, Stage::Paid, Stage::Refunded] {
            self.advance(&mut created, stage).await?;
        }
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
            let response = connection.post(&path, &body(index)).await;
            let CreatedResponse { id } = accepted(response)?;
            entities.borrow_mut().push(Entity { index, id });
            Ok(())
        };
        self.phase(name, count, request).await?;
        let mut entities = entities.into_inner();
        entities.sort_unstable_by_key(|entity| entity.index);
        Ok(entities)
    }

    /// Sends the commands that lead planned orders to a stage.
    async fn advance(&mut self, created: &mut Created, stage: Stage) -> Result<()> {
        let (name, what) = match stage {
            Stage::Placed => ("orders", "responses to orders"),
            Stage::Paid => ("payments", "responses to payments"),
            Stage::Refunded => ("refunds", "responses to refunds"),
        };
        let arguments = self.drive.arguments;
        let numbers = (0..).zip(&created.orders).filter(|(number, placement)| match stage {
            Stage::Placed => true,
            Stage::Paid => placement.is_at(Stage::Placed) && arguments.pays(*number),
            Stage::Refunded => placement.is_at(Stage::Paid) && arguments.refunds(*number),
        });
        let numbers: Vec<u32> = numbers.map(|(number, _)| number).collect();
        let orders = RefCell::new(std::mem::take(&mut created.orders));
        let record = |number: u32, placement| orders.borrow_mut()[number as usize] = placement;
        let responses = RefCell::new(Finding::new(what));
        let request = async |connection: &mut Connection<'_>, place: u32| {
            let number = numbers[place as usize];
            let order = self.plan.order(number, &created.customers, &created.products);
            let before = orders.borrow()[number as usize];
            // Stays so if there is no response.
            record(number, before.possibly_at(stage));
            let sent = send(connection, &order, before).await;
            let (id, compared) = sent.inspect_err(|why| {
                if matches!(why, NotAccepted::Failed(_)) {
                    record(number, before);
                }
            })?;
            record(number, Placement::Placed(Placed::at(id, stage)));
            responses.borrow_mut().add(compared);
            Ok(())
        };
        let sent = self.phase(name, numbers.len() as u32, request).await;
        self.responses.push(responses.into_inner());
        created.orders = orders.into_inner();
        sent
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

/// Sends the next command of an order. Returns the order's id, and whether the response shows what
/// was sent.
async fn send(
    connection: &mut Connection<'_>,
    order: &Order,
    before: Placement,
) -> Result<(i64, Compared), NotAccepted> {
    match before {
        Placement::NotPlaced | Placement::Unknown => {
            let response = connection.post("/api/orders", &json(&order.request())).await;
            let response: bodies::Order = accepted(response)?;
            let id = response.id.ok_or_else(|| unreadable("no id"))?;
            let expected = order.shown(id, Stage::Placed);
            Ok((id, Compared::of(&format!("order {id}"), &response, &expected)))
        }
        Placement::Placed(Placed { id, stage: Stage::Placed, .. }) => {
            let body = json(&StatusChange { status: OrderStatus::Paid.as_str() });
            let response = connection.put(&format!("/api/orders/{id}/status"), &body).await;
            let expected = order.shown(id, Stage::Paid);
            let subject = format!("paid order {id}");
            Ok((id, Compared::of(&subject, &accepted(response)?, &expected)))
        }
        Placement::Placed(Placed { id, .. }) => {
            let path = format!("/api/orders/{id}/refunds");
            let response = connection.post(&path, &json(&order.refund_request())).await;
            let subject = format!("the refund of order {id}");
            Ok((id, Compared::of(&subject, &accepted(response)?, &order.refund_shown(id))))
        }
    }
}

/// Reads the response to a command. One that is accepted but unreadable leaves the outcome unknown.
fn accepted<T: for<'de> Deserialize<'de>>(
    response: Result<Response<'_>, Lost>,
) -> Result<T, NotAccepted> {
    serde_json::from_slice(judge(response)?).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> NotAccepted {
    NotAccepted::Unknown(format!("accepted, but unreadable: {why}"))
}

/// Serializes a value that can always be written as JSON.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}
