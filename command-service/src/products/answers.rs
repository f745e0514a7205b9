//! What is answered about products.

use super::rules::Product;
use crate::answer::Answer;
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

/// A product as answered: its id also as `productId`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProductAnswer)]
pub struct Body<'a> {
    /// Its id.
    #[schema(value_type = Id)]
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
