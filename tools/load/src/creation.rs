//! The phases that create users, products and orders.

use crate::client::{Answer, Connection, Server};
use crate::created::{Created, Fate, Member, Placed};
use crate::findings::{Finding, Verdict};
use crate::outcome::{Outcome, judge};
use crate::phase::{Drive, Phase};
use crate::plan::Plan;
use crate::pricing::{PricedOrder, priced};
use crate::tally::Tally;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared_events::Money;
use std::cell::RefCell;

/// The shop's way in, as one run uses it.
#[derive(Clone, Copy, Debug)]
pub struct Creation<'a> {
    /// How requests are made.
    pub drive: Drive<'a>,
    /// Who takes them.
    pub server: &'a Server,
    /// What they say.
    pub plan: &'a Plan,
}

/// The answer to a created user or product.
#[derive(Debug, Deserialize)]
struct CreatedAnswer {
    id: i64,
}

/// The answer to an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlacedAnswer {
    id: i64,
    customer_id: i64,
    total: Money,
    created_at: DateTime<Utc>,
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
    /// Creates `count` users; gives those that exist.
    ///
    /// # Errors
    /// If the phase cannot be run.
    pub async fn users(&self, count: u32) -> anyhow::Result<(Tally, Vec<Member>)> {
        let body = |index| {
            let user = self.plan.user(index);
            serde_json::to_vec(&UserBody { name: user.name, email: user.email })
        };
        self.members("users", "/api/users", count, body).await
    }

    /// Creates `count` products; gives those that exist.
    ///
    /// # Errors
    /// If the phase cannot be run.
    pub async fn products(&self, count: u32) -> anyhow::Result<(Tally, Vec<Member>)> {
        let body = |index| {
            let terms = self.plan.terms(index);
            serde_json::to_vec(&ProductBody {
                name: self.plan.product_name(index),
                category: self.plan.category_name(terms.category),
                price: terms.price,
                stock: terms.stock,
            })
        };
        self.members("products", "/api/products", count, body).await
    }

    async fn members(
        &self,
        name: &'static str,
        path: &str,
        count: u32,
        body: impl Fn(u32) -> serde_json::Result<Vec<u8>>,
    ) -> anyhow::Result<(Tally, Vec<Member>)> {
        let made = RefCell::new(Vec::with_capacity(count as usize));
        let phase = Phase { name, server: self.server, count };
        let request = async |connection: &mut Connection<'_>, index| match post(
            connection,
            path,
            body(index),
        )
        .await
        .and_then(|a| read(&a))
        {
            Ok(CreatedAnswer { id }) => {
                made.borrow_mut().push(Member { index, id });
                Outcome::Accepted
            }
            Err(outcome) => outcome,
        };
        let tally = self.drive.run(phase, request).await?;
        let mut made = made.into_inner();
        made.sort_unstable_by_key(|member| member.index);
        Ok((tally, made))
    }

    /// Places `count` orders, and notes in `created` what became of each. There
    /// must be customers and products.
    ///
    /// # Errors
    /// If the phase cannot be run.
    pub async fn orders(&self, count: u32, created: &mut Created) -> anyhow::Result<Tally> {
        let fates = RefCell::new(vec![Fate::Absent; count as usize]);
        let note = |index: u32, fate| {
            if let Some(noted) = fates.borrow_mut().get_mut(index as usize) {
                *noted = fate;
            }
        };
        let answers = RefCell::new(Finding::new("answers to orders"));
        let members = &*created;
        let phase = Phase { name: "orders", server: self.server, count };
        let request = async |connection: &mut Connection<'_>, index| {
            let (order, wanted) = self.order(index, members);
            // Until it is known better; whoever is not answered stays so.
            note(index, Fate::Unknown);
            let answer = post(connection, "/api/orders", serde_json::to_vec(&order)).await;
            match answer.and_then(|answer| read(&answer)) {
                Ok(placed) => {
                    answers.borrow_mut().note(check_answer(&placed, order.customer_id, &wanted));
                    note(index, Fate::Made(Placed { id: placed.id, at: placed.created_at }));
                    Outcome::Accepted
                }
                Err(outcome) => {
                    if matches!(outcome, Outcome::Failed(_)) {
                        note(index, Fate::Absent);
                    }
                    outcome
                }
            }
        };
        let tally = self.drive.run(phase, request).await?;
        created.orders = fates.into_inner();
        created.answers = answers.into_inner();
        Ok(tally)
    }

    /// The body of order number `index`, and what it comes to.
    fn order(&self, index: u32, created: &Created) -> (OrderBody, PricedOrder) {
        let order = created.order(self.plan, index);
        let items = order.lines.iter().map(|line| LineBody {
            product_id: created.product_id(line.product),
            quantity: line.quantity,
            price: line.negotiated,
        });
        let body =
            OrderBody { customer_id: created.customer_id(order.customer), items: items.collect() };
        (body, priced(&order, self.plan, created))
    }
}

async fn post(
    connection: &mut Connection<'_>,
    path: &str,
    body: serde_json::Result<Vec<u8>>,
) -> Result<Answer, Outcome> {
    let body = body.map_err(|error| Outcome::Failed(error.to_string()))?;
    judge(connection.post(path, body).await)
}

/// Reads an accepted command's answer. Without its id nobody knows what was
/// created.
fn read<T: for<'de> Deserialize<'de>>(answer: &Answer) -> Result<T, Outcome> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| Outcome::Unknown(format!("{}, but unreadable: {error}", answer.status)))
}

fn check_answer(placed: &PlacedAnswer, customer_id: i64, wanted: &PricedOrder) -> Verdict {
    Verdict::about(format!("order {}", placed.id))
        .member("customerId", &placed.customer_id, &customer_id)
        .member("total", &placed.total, &wanted.total)
}
