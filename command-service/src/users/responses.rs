//! Responses with a user or an account.

use super::rules::{Account, User};
use crate::response::CommandResponse;
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user. `userId` repeats `id`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserResponse<'a> {
    /// The id of the user.
    #[schema(value_type = Id)]
    user_id: i64,
    #[serde(flatten)]
    user: &'a User,
}

/// An account. `accountId` repeats `id`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountResponse<'a> {
    /// The id of the account.
    #[schema(value_type = Id)]
    account_id: i64,
    #[serde(flatten)]
    account: &'a Account,
}

/// The response to a created user.
///
/// # Errors
/// None in practice.
pub fn created(user: &User, event_id: Uuid) -> Result<CommandResponse, Problem> {
    let location = format!("/api/users/{}", user.id);
    CommandResponse::created(event_id, location, &UserResponse { user_id: user.id, user })
}

/// The response to a changed user.
///
/// # Errors
/// None in practice.
pub fn changed(user: &User, event_id: Uuid) -> Result<CommandResponse, Problem> {
    CommandResponse::changed(Some(event_id), &UserResponse { user_id: user.id, user })
}

/// The response to an opened account. Its `Location` is that of the user, which has the
/// address.
///
/// # Errors
/// None in practice.
pub fn opened(account: &Account, event_id: Uuid) -> Result<CommandResponse, Problem> {
    let location = format!("/api/users/{}", account.details.user_id);
    CommandResponse::created(
        event_id,
        location,
        &AccountResponse { account_id: account.id, account },
    )
}
