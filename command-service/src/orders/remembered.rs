//! What a lane remembers from one transaction to the next, so that most of them
//! are a single statement.
//!
//! Nothing is sold on the strength of memory alone: the statement that writes an
//! order checks that its products still have the versions they are remembered by.
//! And nobody is refused by it: whoever would be is decided upon anew, by products
//! that have just been read.

use super::place::PlaceOrder;
use super::rules::{Shelf, Shelves};
use chrono::{DateTime, Utc};
use shared_events::Money;
use sqlx::PgConnection;
use sqlx::types::Decimal;
use std::collections::{BTreeSet, HashMap};

/// Most products that are remembered: some 10 MB. Beyond that memory begins anew.
const MAX_PRODUCTS: usize = 50_000;

/// Products as they were left by the last transaction that named them, and order
/// ids drawn ahead.
#[derive(Debug, Default)]
pub struct Remembered {
    products: HashMap<i64, Shelf>,
    /// Ascending, not yet used.
    order_ids: Vec<i64>,
}

/// A product, or an order id alone.
struct Row {
    order_id: Option<i64>,
    product_id: Option<i64>,
    name: Option<String>,
    category: Option<String>,
    price: Option<Decimal>,
    stock: Option<i32>,
    version: Option<i64>,
    created_at: Option<DateTime<Utc>>,
}

impl Remembered {
    /// Whether all is known that orders need: their products, and an id for each.
    pub fn suffices<'a>(&self, orders: impl ExactSizeIterator<Item = &'a PlaceOrder>) -> bool {
        orders.len() <= self.order_ids.len()
            && orders
                .flat_map(|order| &order.lines)
                .all(|line| self.products.contains_key(&line.product_id))
    }

    /// The products that orders name, as far as they are known.
    pub fn shelves<'a>(&self, orders: impl Iterator<Item = &'a PlaceOrder>) -> Shelves {
        let known = |id| Some((id, self.products.get(&id)?.clone()));
        product_ids(orders).into_iter().filter_map(known).collect()
    }

    /// The next order ids.
    pub fn order_ids(&self) -> &[i64] {
        &self.order_ids
    }

    /// Uses so many order ids up; returns them.
    pub fn use_up(&mut self, order_ids: usize) -> Vec<i64> {
        self.order_ids.drain(..order_ids.min(self.order_ids.len())).collect()
    }

    /// Takes order ids back that were certainly not written.
    pub fn give_back(&mut self, order_ids: Vec<i64>) {
        self.order_ids.splice(..0, order_ids);
    }

    /// Takes order ids drawn ahead.
    pub fn keep_ids(&mut self, order_ids: Vec<i64>) {
        self.order_ids.extend(order_ids);
    }

    /// Takes a product as a transaction has left it.
    pub fn keep(&mut self, product_id: i64, shelf: Shelf) {
        self.products.insert(product_id, shelf);
    }

    /// Reads the products that orders name, and draws the order ids that are missing
    /// for all of them to be accepted.
    pub async fn read(
        &mut self,
        connection: &mut PgConnection,
        orders: &[&PlaceOrder],
    ) -> sqlx::Result<()> {
        let product_ids = product_ids(orders.iter().copied());
        let missing = orders.len().saturating_sub(self.order_ids.len());
        let rows = sqlx::query_file_as!(Row, "src/orders/read.sql", &product_ids, missing as i64)
            .fetch_all(connection)
            .await?;
        if self.products.len() > MAX_PRODUCTS {
            self.products.clear();
        }
        for product_id in &product_ids {
            self.products.remove(product_id);
        }
        for mut row in rows {
            match row.shelf()? {
                Some((product_id, shelf)) => self.keep(product_id, shelf),
                None => self.order_ids.extend(row.order_id),
            }
        }
        Ok(())
    }
}

impl Row {
    fn shelf(&mut self) -> sqlx::Result<Option<(i64, Shelf)>> {
        let (Some(id), Some(name), Some(category)) =
            (self.product_id, self.name.take(), self.category.take())
        else {
            return Ok(None);
        };
        let (Some(price), Some(version), Some(created_at)) =
            (self.price, self.version, self.created_at)
        else {
            return Ok(None);
        };
        let price =
            Money::from_decimal(price).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let shelf =
            Shelf { name, category, price, stock: self.stock, version, created_at, taken: 0 };
        Ok(Some((id, shelf)))
    }
}

/// The products that orders name, ascending, each once.
pub fn product_ids<'a>(orders: impl Iterator<Item = &'a PlaceOrder>) -> Vec<i64> {
    let lines = orders.flat_map(|order| &order.lines);
    lines.map(|line| line.product_id).collect::<BTreeSet<i64>>().into_iter().collect()
}
