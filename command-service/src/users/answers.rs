//! What is answered about users and their accounts.

use super::rules::{Account, User};
use crate::answer::Answer;
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user as answered: their id also as `userId`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserAnswer)]
pub struct UserBody<'a> {
    /// Their id.
    #[schema(value_type = Id)]
    user_id: i64,
    #[serde(flatten)]
    user: &'a User,
}

/// An account as answered: its id also as `accountId`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountAnswer)]
pub struct AccountBody<'a> {
    /// Its id.
    #[schema(value_type = Id)]
    account_id: i64,
    #[serde(flatten)]
    account: &'a Account,
}

/// A user was created.
///
/// # Errors
/// None in practice.
pub fn created(user: &User, event_id: Uuid) -> Result<Answer, Problem> {
    let location = format!("/api/users/{}", user.id);
    Answer::created(event_id, location, &UserBody { user_id: user.id, user })
}

/// A user was changed.
///
/// # Errors
/// None in practice.
pub fn changed(user: &User, event_id: Uuid) -> Result<Answer, Problem> {
    Answer::changed(Some(event_id), &UserBody { user_id: user.id, user })
}

/// An account was opened. The query service shows the address with its user.
///
/// # Errors
/// None in practice.
pub fn opened(account: &Account, event_id: Uuid) -> Result<Answer, Problem> {
    let location = format!("/api/users/{}", account.details.user_id);
    Answer::created(event_id, location, &AccountBody { account_id: account.id, account })
}
