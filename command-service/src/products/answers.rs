//! What is answered about products.

use super::rules::Product;
use crate::answer::Answer;
use serde::Serialize;
use service_runtime::problem::Problem;
use uuid::Uuid;

/// A product as answered: its id also as `productId`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    product_id: i64,
    #[serde(flatten)]
    product: &'a Product,
}

/// A product was created.
///
/// # Errors
/// None in practice.
pub fn created(product: &Product, event_id: Uuid) -> Result<Answer, Problem> {
    let location = format!("/api/products/{}", product.id);
    Answer::created(event_id, location, &Body { product_id: product.id, product })
}

/// A product was changed.
///
/// # Errors
/// None in practice.
pub fn changed(product: &Product, event_id: Uuid) -> Result<Answer, Problem> {
    Answer::changed(Some(event_id), &Body { product_id: product.id, product })
}
