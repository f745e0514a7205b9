//! `/api/products`.

use super::answers::Body;
use super::commands::{self, ChangeKind};
use super::document::{NotChanged, NotCreated, SomeProductChange, TAG};
use super::rules::{INVALID, NewProduct, PriceChange, ProductChange};
use crate::answer::Answer;
use crate::command_kind::CommandKind;
use crate::request::Request;
use crate::router::Commands;
use axum::extract::State;
use service_runtime::json_body::Members;
use service_runtime::openapi::Id;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// Create a product
#[utoipa::path(
    post,
    path = "/api/products",
    operation_id = "createProduct",
    tag = TAG,
    request_body = NewProduct,
    responses((status = 201, description = "The product.", body = Body), NotCreated)
)]
pub async fn create(State(commands): State<Commands>, request: Request) -> Result<Answer, Problem> {
    request
        .carry_out(
            CommandKind::CreateProduct,
            commands,
            async move |commands: Commands, request: Request| {
                let new = NewProduct::read(&request.members(INVALID)?)?;
                let creating = commands::create(commands.pool.clone(), new, request.origin());
                commands.to_the_end(creating).await
            },
        )
        .await
}

/// Change a product
///
/// Any of its members, at least one.
#[utoipa::path(
    put,
    path = "/api/products/{id}",
    operation_id = "changeProduct",
    tag = TAG,
    params(("id" = Id, Path, description = "The product.", example = 1)),
    request_body = SomeProductChange,
    responses((status = 200, description = "The product.", body = Body), NotChanged)
)]
pub async fn update(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    change(commands, id, request, ProductChange::read, ChangeKind::Details).await
}

/// Change a price
///
/// Its event is `PriceChanged`, where a change of the product makes `ProductUpdated`.
#[utoipa::path(
    put,
    path = "/api/products/{id}/price",
    operation_id = "changePrice",
    tag = TAG,
    params(("id" = Id, Path, description = "The product.", example = 1)),
    request_body = PriceChange,
    responses((status = 200, description = "The product.", body = Body), NotChanged)
)]
pub async fn change_price(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    change(commands, id, request, ProductChange::read_price, ChangeKind::Price).await
}

async fn change(
    commands: Commands,
    id: Segment,
    request: Request,
    read: fn(&Members) -> Result<ProductChange, Problem>,
    of: ChangeKind,
) -> Result<Answer, Problem> {
    let id = id.id(INVALID)?;
    request
        .carry_out(of.kind(), commands, async move |commands: Commands, request: Request| {
            let change = read(&request.members(INVALID)?)?;
            let changing =
                commands::change(commands.pool.clone(), id, change, of, request.origin());
            commands.to_the_end(changing).await
        })
        .await
}
