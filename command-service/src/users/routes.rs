//! `/api/users` and `/api/accounts`.

use super::answers::{AccountBody, UserBody};
use super::commands;
use super::document::{NotChanged, NotCreated, NotOpened, SomeUserChange, TAG};
use super::rules::{INVALID_ACCOUNT, INVALID_USER, NewAccount, NewUser, UserChange};
use crate::answer::Answer;
use crate::command_kind::CommandKind;
use crate::request::Request;
use crate::router::Commands;
use axum::extract::State;
use service_runtime::openapi::Id;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// Create a user
///
/// A new user takes an id that no customer has.
#[utoipa::path(
    post,
    path = "/api/users",
    operation_id = "createUser",
    tag = TAG,
    request_body = NewUser,
    responses((status = 201, description = "The user.", body = UserBody), NotCreated)
)]
pub async fn create(State(commands): State<Commands>, request: Request) -> Result<Answer, Problem> {
    request
        .carry_out(
            CommandKind::CreateUser,
            commands,
            async move |commands: Commands, request: Request| {
                let new = NewUser::read(&request.members(INVALID_USER)?)?;
                let creating = commands::create(commands.pool.clone(), new, request.origin());
                commands.to_the_end(creating).await
            },
        )
        .await
}

/// Change a user
///
/// Name, e-mail address or both.
#[utoipa::path(
    patch,
    path = "/api/users/{id}",
    operation_id = "changeUser",
    tag = TAG,
    params(("id" = Id, Path, description = "The user.", example = 1)),
    request_body = SomeUserChange,
    responses((status = 200, description = "The user.", body = UserBody), NotChanged)
)]
pub async fn update(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    let id = id.id(INVALID_USER)?;
    request
        .carry_out(
            CommandKind::UpdateUser,
            commands,
            async move |commands: Commands, request: Request| {
                let change = UserChange::read(&request.members(INVALID_USER)?)?;
                let changing =
                    commands::change(commands.pool.clone(), id, change, request.origin());
                commands.to_the_end(changing).await
            },
        )
        .await
}

/// Open an account
///
/// The newest account of a user has their address; whoever moves opens another.
#[utoipa::path(
    post,
    path = "/api/accounts",
    operation_id = "openAccount",
    tag = TAG,
    request_body = NewAccount,
    responses((status = 201, description = "The account.", body = AccountBody), NotOpened)
)]
pub async fn open_account(
    State(commands): State<Commands>,
    request: Request,
) -> Result<Answer, Problem> {
    request
        .carry_out(
            CommandKind::OpenAccount,
            commands,
            async move |commands: Commands, request: Request| {
                let new = NewAccount::read(&request.members(INVALID_ACCOUNT)?)?;
                let opening = commands::open_account(commands.pool.clone(), new, request.origin());
                commands.to_the_end(opening).await
            },
        )
        .await
}
