//! `/api/products`.

use super::commands::{self, ChangeOf};
use super::rules::{INVALID, NewProduct, ProductChange};
use crate::answer::Answer;
use crate::request::Request;
use crate::router::Commands;
use axum::extract::State;
use service_runtime::json_body::Members;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// `POST /api/products`
pub async fn create(State(commands): State<Commands>, request: Request) -> Result<Answer, Problem> {
    request
        .carry_out("create product", commands, async move |commands: Commands, request: Request| {
            let new = NewProduct::read(&request.members(INVALID)?)?;
            let creating = commands::create(commands.pool.clone(), new, request.origin());
            commands.to_the_end(creating).await
        })
        .await
}

/// `PUT /api/products/{id}`
pub async fn update(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    change(commands, id, request, ProductChange::read, ChangeOf::Details).await
}

/// `PUT /api/products/{id}/price`
pub async fn change_price(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    change(commands, id, request, ProductChange::read_price, ChangeOf::Price).await
}

async fn change(
    commands: Commands,
    id: Segment,
    request: Request,
    read: fn(&Members) -> Result<ProductChange, Problem>,
    of: ChangeOf,
) -> Result<Answer, Problem> {
    let id = id.id(INVALID)?;
    request
        .carry_out(of.name(), commands, async move |commands: Commands, request: Request| {
            let change = read(&request.members(INVALID)?)?;
            let changing =
                commands::change(commands.pool.clone(), id, change, of, request.origin());
            commands.to_the_end(changing).await
        })
        .await
}
