//! `/api/users` and `/api/accounts`.

use super::commands;
use super::rules::{INVALID_ACCOUNT, INVALID_USER, NewAccount, NewUser, UserChange};
use crate::answer::Answer;
use crate::request::Request;
use crate::router::Commands;
use axum::extract::State;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// `POST /api/users`
pub async fn create(State(commands): State<Commands>, request: Request) -> Result<Answer, Problem> {
    request
        .carry_out("create user", commands, async move |commands: Commands, request: Request| {
            let new = NewUser::read(&request.members(INVALID_USER)?)?;
            let creating = commands::create(commands.pool.clone(), new, request.origin());
            commands.to_the_end(creating).await
        })
        .await
}

/// `PATCH /api/users/{id}`
pub async fn update(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    let id = id.id(INVALID_USER)?;
    request
        .carry_out("change user", commands, async move |commands: Commands, request: Request| {
            let change = UserChange::read(&request.members(INVALID_USER)?)?;
            let changing = commands::change(commands.pool.clone(), id, change, request.origin());
            commands.to_the_end(changing).await
        })
        .await
}

/// `POST /api/accounts`
pub async fn open_account(
    State(commands): State<Commands>,
    request: Request,
) -> Result<Answer, Problem> {
    request
        .carry_out("open account", commands, async move |commands: Commands, request: Request| {
            let new = NewAccount::read(&request.members(INVALID_ACCOUNT)?)?;
            let opening = commands::open_account(commands.pool.clone(), new, request.origin());
            commands.to_the_end(opening).await
        })
        .await
}
