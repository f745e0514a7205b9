//! `/api/users` and `/api/accounts`.

use super::commands;
use super::rules::{Account, INVALID_ACCOUNT, INVALID_USER, NewAccount, NewUser, User, UserChange};
use crate::router::{self, Commands};
use crate::trace::Trace;
use crate::transactions::to_the_end;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use service_runtime::json_body::JsonBody;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// A user as answered: their id also as `userId`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAnswer {
    user_id: i64,
    #[serde(flatten)]
    user: User,
}

/// An account as answered: its id also as `accountId`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountAnswer {
    account_id: i64,
    #[serde(flatten)]
    account: Account,
}

/// `POST /api/users`
pub async fn create(
    State(commands): State<Commands>,
    Trace(trace): Trace,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<UserAnswer>), Problem> {
    let new = NewUser::read(&body.members(INVALID_USER)?)?;
    let (user, event) = to_the_end(commands::create(commands.pool, new, trace)).await?;
    commands.committed.notify_one();
    let headers = router::created(event, format!("/api/users/{}", user.id));
    Ok((StatusCode::CREATED, headers, Json(UserAnswer { user_id: user.id, user })))
}

/// `PATCH /api/users/{id}`
pub async fn update(
    State(commands): State<Commands>,
    id: Segment,
    Trace(trace): Trace,
    body: JsonBody,
) -> Result<(HeaderMap, Json<UserAnswer>), Problem> {
    let id = id.id(INVALID_USER)?;
    let change = UserChange::read(&body.members(INVALID_USER)?)?;
    let changed = to_the_end(commands::change(commands.pool, id, change, trace)).await?;
    let (user, event) = changed.ok_or_else(|| user_not_found(id))?;
    commands.committed.notify_one();
    Ok((router::event_id(event), Json(UserAnswer { user_id: user.id, user })))
}

/// `POST /api/accounts`
pub async fn open_account(
    State(commands): State<Commands>,
    Trace(trace): Trace,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<AccountAnswer>), Problem> {
    let new = NewAccount::read(&body.members(INVALID_ACCOUNT)?)?;
    let user_id = new.user_id;
    let opened = to_the_end(commands::open_account(commands.pool, new, trace)).await?;
    let (account, event) = opened.ok_or_else(|| user_not_found(user_id))?;
    commands.committed.notify_one();
    // The query service shows the address with its user.
    let headers = router::created(event, format!("/api/users/{user_id}"));
    Ok((StatusCode::CREATED, headers, Json(AccountAnswer { account_id: account.id, account })))
}

fn user_not_found(id: i64) -> Problem {
    Problem::not_found("User not found").detail(format!("There is no user {id}."))
}
