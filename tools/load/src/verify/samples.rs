//! Samples of users, products and orders, by id and with every field.

use super::answers::{ItemAnswer, OrderAnswer, OrderItemsAnswer, ProductAnswer, UserAnswer};
use super::reading::{answer, parse, read};
use super::{Verification, Verified};
use crate::created::{Fate, Placed};
use crate::findings::Verdict;
use crate::pricing::{PricedLine, PricedOrder};

/// The status of an order that was placed and no more.
const PLACED: &str = "CREATED";

impl Verification<'_> {
    /// Compares samples of each kind.
    pub(super) async fn samples(&self, verified: &mut Verified) -> anyhow::Result<()> {
        if self.created.are_users {
            let sample = Sample::of(self.created.customers.len(), self.samples);
            self.each("sampled users", sample.count, verified, async |connection, number| {
                let place = sample.place(number);
                let id = self.created.customer_id(place as u32);
                let user = read(connection, &format!("/api/users/{id}")).await?;
                Ok(user.map_or_else(|| missing("user", id), |user| self.check_user(&user, place)))
            })
            .await?;
        }
        let sample = Sample::of(self.created.products.len(), self.samples);
        self.each("sampled products", sample.count, verified, async |connection, number| {
            let place = sample.place(number);
            let id = self.created.product_id(place as u32);
            let product = read(connection, &format!("/api/products/{id}")).await?;
            let check = |product: ProductAnswer| self.check_product(&product, place);
            Ok(product.map_or_else(|| missing("product", id), check))
        })
        .await?;
        let placed = self.placed();
        let sample = Sample::of(placed.len(), self.samples);
        self.each("sampled orders", sample.count, verified, async |connection, number| {
            let Some((index, placed)) = placed.get(sample.place(number)) else {
                return Err("no such sample".to_owned());
            };
            match answer(connection, &format!("/api/orders/{}", placed.id)).await? {
                Some(answer) => {
                    let order: OrderAnswer = parse(&answer)?;
                    let items: OrderItemsAnswer = parse(&answer)?;
                    let wanted = self.order(*index);
                    let verdict = self.check_order(&order, *placed, &wanted);
                    Ok(self.check_items(verdict, &items.items, &wanted))
                }
                None => Ok(missing("order", placed.id)),
            }
        })
        .await
    }

    /// The orders that were accepted, by number in the plan.
    pub(super) fn placed(&self) -> Vec<(u32, Placed)> {
        let orders = self.created.orders.iter().zip(0..);
        let made = |(fate, index): (&Fate<Placed>, u32)| match fate {
            Fate::Made(placed) => Some((index, *placed)),
            Fate::Unknown | Fate::Absent => None,
        };
        orders.filter_map(made).collect()
    }

    pub(super) fn check_user(&self, shown: &UserAnswer, place: usize) -> Verdict {
        let member = self.created.customers.get(place);
        let user = self.plan.user(member.map_or(0, |member| member.index));
        Verdict::about(format!("user {}", shown.id))
            .member("id", &shown.id, &member.map_or(0, |member| member.id))
            .member("name", &shown.name, &user.name)
            .member("email", &shown.email, &user.email)
            .member("address", &shown.address, &serde_json::Value::Null)
    }

    pub(super) fn check_product(&self, shown: &ProductAnswer, place: usize) -> Verdict {
        let member = self.created.products.get(place);
        let index = member.map_or(0, |member| member.index);
        let terms = self.plan.terms(index);
        let sold = |sales: &[crate::expected::Sales]| sales.get(place).map_or(0, |s| s.pieces);
        let stock = terms.stock.map(|stock| i64::from(stock) - sold(&self.sure.products));
        let doubtful = sold(&self.doubtful.products);
        let verdict = Verdict::about(format!("product {}", shown.id))
            .member("id", &shown.id, &member.map_or(0, |member| member.id))
            .member("name", &shown.name, &self.plan.product_name(index))
            .member("category", &shown.category, &self.plan.category_name(terms.category))
            .member("price", &shown.price, &terms.price);
        let is_all_but_stock_right = verdict.agrees();
        let within = match (shown.stock, stock) {
            (Some(shown), Some(sure)) => (sure - doubtful..=sure).contains(&shown),
            _ => false,
        };
        verdict
            .optional("stock", shown.stock.as_ref(), stock.as_ref())
            .could_be_doubt(is_all_but_stock_right && within)
    }

    pub(super) fn check_order(
        &self,
        shown: &OrderAnswer,
        placed: Placed,
        wanted: &PricedOrder,
    ) -> Verdict {
        Verdict::about(format!("order {}", shown.id))
            .member("id", &shown.id, &placed.id)
            .member("customerId", &shown.customer_id, &self.created.customer_id(wanted.customer))
            .member("total", &shown.total, &wanted.total)
            .member("status", &shown.status.as_str(), &PLACED)
            .member("createdAt", &shown.created_at, &placed.at)
    }

    fn check_items(&self, verdict: Verdict, shown: &[ItemAnswer], wanted: &PricedOrder) -> Verdict {
        let verdict = verdict.member("items", &shown.len(), &wanted.lines.len());
        shown
            .iter()
            .zip(&wanted.lines)
            .fold(verdict, |verdict, (shown, line)| self.check_item(verdict, shown, line))
    }

    fn check_item(&self, verdict: Verdict, shown: &ItemAnswer, line: &PricedLine) -> Verdict {
        let member = self.created.products.get(line.product as usize);
        let name = self.plan.product_name(member.map_or(0, |member| member.index));
        verdict
            .member("productId", &shown.product_id, &member.map_or(0, |member| member.id))
            .member("productName", &shown.product_name, &name)
            .member("category", &shown.category, &self.plan.category_name(line.category))
            .member("quantity", &shown.quantity, &line.quantity)
            .member("price", &shown.price, &line.price)
            .member("stockTaken", &shown.stock_taken, &line.stock_taken)
    }
}

fn missing(what: &str, id: i64) -> Verdict {
    Verdict::about(format!("{what} {id}")).wrong("is not there".to_owned())
}

/// Places evenly spread, the first among them.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// How many there are.
    count: usize,
    of: usize,
}

impl Sample {
    fn of(of: usize, wanted: u32) -> Self {
        Self { count: of.min(wanted as usize), of }
    }

    fn place(self, number: usize) -> usize {
        number * self.of / self.count.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_all() {
        let places = |of, wanted| {
            let sample = Sample::of(of, wanted);
            (0..sample.count).map(|number| sample.place(number)).collect::<Vec<_>>()
        };
        assert_eq!(places(10, 4), [0, 2, 5, 7]);
        assert_eq!(places(3, 1_000), [0, 1, 2]);
        assert_eq!(places(0, 10), [0; 0]);
    }
}
