//! Adds missing names and categories to order lines.

use crate::dead_letter_reasons::unknown_product;
use shared_events::{Event, Payload};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Current names and categories of products, from the view.
pub struct Catalogue(BTreeMap<i64, (String, String)>);

impl Catalogue {
    /// Loads the products of lines without name or category, if there are any.
    pub async fn load(
        connection: &mut PgConnection,
        events: impl Iterator<Item = &Event>,
    ) -> sqlx::Result<Self> {
        let ids: Vec<i64> = events
            .flat_map(|event| match &event.payload {
                Payload::OrderCreated(order) => &order.items[..],
                _ => &[],
            })
            .filter(|line| line.lacks_product())
            .map(|line| line.product_id)
            .collect();
        if ids.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        let rows = sqlx::query!(
            "SELECT product_id, name, category FROM products_read WHERE product_id = ANY ($1)",
            &ids,
        )
        .fetch_all(connection)
        .await?;
        Ok(Self(rows.into_iter().map(|row| (row.product_id, (row.name, row.category))).collect()))
    }

    /// Adds missing names and categories; the error is the reason of a failure.
    pub fn complete(&self, event: &mut Event) -> Result<(), String> {
        let Payload::OrderCreated(order) = &mut event.payload else { return Ok(()) };
        for (index, line) in order.items.iter_mut().enumerate() {
            if !line.lacks_product() {
                continue;
            }
            let product = self.0.get(&line.product_id);
            let (name, category) =
                product.ok_or_else(|| unknown_product(index, line.product_id))?;
            if line.product_name.is_empty() {
                line.product_name.clone_from(name);
            }
            if line.category.is_empty() {
                line.category.clone_from(category);
            }
        }
        Ok(())
    }
}
