//! Responses with a product.

use super::rules::Product;
use crate::response::CommandResponse;
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

/// A product. `productId` repeats `id`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductResponse<'a> {
    /// The id of the product.
    #[schema(value_type = Id)]
    product_id: i64,
    #[serde(flatten)]
    product: &'a Product,
}

/// The response to a created product.
///
/// # Errors
/// None in practice.
pub fn created(product: &Product, event_id: Uuid) -> Result<CommandResponse, Problem> {
    let location = format!("/api/products/{}", product.id);
    CommandResponse::created(
        event_id,
        location,
        &ProductResponse { product_id: product.id, product },
    )
}

/// The response to a changed product.
///
/// # Errors
/// None in practice.
pub fn changed(product: &Product, event_id: Uuid) -> Result<CommandResponse, Problem> {
    CommandResponse::changed(Some(event_id), &ProductResponse { product_id: product.id, product })
}
