//! The product cache, with which most batches of orders are a single statement.
//!
//! A cached product can be outdated. So the statement that writes an order checks that its
//! products still have the cached versions, and an order that the cache would refuse is
//! decided again with products just read.

use super::order::QueuedOrder;
use super::rules::{ProductSnapshot, ProductSnapshots};
use crate::transactions::money;
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashMap};

/// Maximum number of cached products, about 10 MB. A full cache is cleared.
const MAX_PRODUCTS: usize = 50_000;

/// Products as the last transaction left them, and reserved order ids.
#[derive(Debug, Default)]
pub struct ProductCache {
    pub products: HashMap<i64, ProductSnapshot>,
    /// Ascending, not yet used.
    pub order_ids: Vec<i64>,
}

impl ProductCache {
    /// Whether the cache has all products of these orders and an id for each order.
    pub fn suffices(&self, orders: &[QueuedOrder]) -> bool {
        let mut lines = orders.iter().flat_map(|queued| &queued.order.lines);
        orders.len() <= self.order_ids.len()
            && lines.all(|line| self.products.contains_key(&line.product_id))
    }

    /// The products of these orders that are cached.
    pub fn snapshots(&self, orders: &[QueuedOrder]) -> ProductSnapshots {
        let cached = |id| Some((id, self.products.get(&id)?.clone()));
        product_ids(orders).into_iter().filter_map(cached).collect()
    }

    /// Reads the products of these orders, and reserves as many ids as are missing for all of
    /// them to be accepted.
    pub async fn read(
        &mut self,
        connection: &mut PgConnection,
        orders: &[QueuedOrder],
    ) -> sqlx::Result<()> {
        let product_ids = product_ids(orders);
        let missing = orders.len().saturating_sub(self.order_ids.len());
        let rows = sqlx::query_file!("src/orders/read.sql", &product_ids, missing as i64)
            .fetch_all(connection)
            .await?;
        if self.products.len() > MAX_PRODUCTS {
            self.products.clear();
        }
        for product_id in &product_ids {
            self.products.remove(product_id);
        }
        // A row has a product, or an order id alone.
        for row in rows {
            self.order_ids.extend(row.order_id);
            let (
                Some(id),
                Some(name),
                Some(category),
                Some(price),
                Some(version),
                Some(created_at),
            ) = (row.product_id, row.name, row.category, row.price, row.version, row.created_at)
            else {
                continue;
            };
            let (price, stock) = (money(price)?, row.stock);
            let product =
                ProductSnapshot { name, category, price, stock, version, created_at, taken: 0 };
            self.products.insert(id, product);
        }
        Ok(())
    }
}

/// The products of these orders, ascending and without duplicates.
pub fn product_ids(orders: &[QueuedOrder]) -> Vec<i64> {
    let lines = orders.iter().flat_map(|queued| &queued.order.lines);
    lines.map(|line| line.product_id).collect::<BTreeSet<i64>>().into_iter().collect()
}
