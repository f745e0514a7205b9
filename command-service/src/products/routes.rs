//! `/api/products`.

use super::commands::{self, not_found, price_changed};
use super::rules::{INVALID, NewProduct, PriceChange, Product, ProductChange};
use crate::command_kind::CommandKind;
use crate::request::Request;
use crate::response::CommandResult;
use service_runtime::openapi::{AtLeastOne, Id, invalid_body, invalid_id};
use service_runtime::path::Segment;
use service_runtime::refusals;
use shared_events::Payload;

/// The tag of these operations.
const TAG: &str = "Products";

type ProductChangeBody = AtLeastOne<ProductChange>;

refusals! {
    NotCreated: invalid_body(INVALID);
    NotChanged: invalid_body(INVALID), invalid_id(INVALID), not_found(1);
}

/// Create a product
#[utoipa::path(
    post,
    path = "/api/products",
    operation_id = "createProduct",
    tag = TAG,
    request_body = NewProduct,
    responses((status = 201, description = "The product.", body = Product), NotCreated)
)]
pub async fn create(request: Request) -> CommandResult {
    request.transact(CommandKind::CreateProduct, INVALID, commands::create).await
}

/// Update a product
///
/// Changes any of its properties. A new stock replaces the old number; it is not added to it.
#[utoipa::path(
    put,
    path = "/api/products/{id}",
    operation_id = "changeProduct",
    tag = TAG,
    params(("id" = Id, Path, description = "The product.", example = 1)),
    request_body = ProductChangeBody,
    responses((status = 200, description = "The product.", body = Product), NotChanged)
)]
pub async fn update(id: Segment, request: Request) -> CommandResult {
    let id = id.id(INVALID)?;
    let updated = |_: &Product, product| Payload::ProductUpdated(product);
    request
        .transact(CommandKind::UpdateProduct, INVALID, move |pool, change, origin| {
            commands::change(pool, id, change, updated, origin)
        })
        .await
}

/// Change the price of a product
///
/// Publishes `PriceChanged` instead of `ProductUpdated`.
#[utoipa::path(
    put,
    path = "/api/products/{id}/price",
    operation_id = "changePrice",
    tag = TAG,
    params(("id" = Id, Path, description = "The product.", example = 1)),
    request_body = PriceChange,
    responses((status = 200, description = "The product.", body = Product), NotChanged)
)]
pub async fn change_price(id: Segment, request: Request) -> CommandResult {
    let id = id.id(INVALID)?;
    request
        .transact(CommandKind::ChangePrice, INVALID, move |pool, body, origin| {
            let PriceChange { price } = body;
            let change = ProductChange { price: Some(price), ..ProductChange::default() };
            commands::change(pool, id, change, price_changed, origin)
        })
        .await
}
