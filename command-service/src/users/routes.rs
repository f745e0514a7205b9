//! `/api/users` and `/api/accounts`.

use super::commands;
use super::rules::{INVALID_ACCOUNT, INVALID_USER, NewAccount, NewUser, UserChange};
use crate::answer::Answer;
use crate::request::{Request, to_the_end};
use crate::router::Commands;
use axum::extract::State;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// `POST /api/users`
pub async fn create(State(commands): State<Commands>, request: Request) -> Result<Answer, Problem> {
    request
        .carry_out(commands, async move |commands: Commands, request: Request| {
            let new = NewUser::read(&request.members(INVALID_USER)?)?;
            let created =
                to_the_end(commands::create(commands.pool, new, request.origin())).await?;
            commands.committed.notify_one();
            Ok(created)
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
        .carry_out(commands, async move |commands: Commands, request: Request| {
            let change = UserChange::read(&request.members(INVALID_USER)?)?;
            let changing = commands::change(commands.pool, id, change, request.origin());
            let changed = to_the_end(changing).await?;
            commands.committed.notify_one();
            Ok(changed)
        })
        .await
}

/// `POST /api/accounts`
pub async fn open_account(
    State(commands): State<Commands>,
    request: Request,
) -> Result<Answer, Problem> {
    request
        .carry_out(commands, async move |commands: Commands, request: Request| {
            let new = NewAccount::read(&request.members(INVALID_ACCOUNT)?)?;
            let opening = commands::open_account(commands.pool, new, request.origin());
            let opened = to_the_end(opening).await?;
            commands.committed.notify_one();
            Ok(opened)
        })
        .await
}
