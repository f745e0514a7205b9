//! `/api/users` and `/api/accounts`.

use super::commands::{self, email_taken, not_found};
use super::rules::{Account, INVALID_ACCOUNT, INVALID_USER, NewAccount, NewUser, User, UserChange};
use crate::command_kind::CommandKind;
use crate::request::Request;
use crate::response::CommandResult;
use service_runtime::openapi::{AtLeastOne, Id, invalid_body, invalid_id};
use service_runtime::path::Segment;
use service_runtime::refusals;

/// The tag of these operations.
const TAG: &str = "Users";

type UserChangeBody = AtLeastOne<UserChange>;

refusals! {
    NotCreated: invalid_body(INVALID_USER), email_taken();
    NotChanged: invalid_body(INVALID_USER), invalid_id(INVALID_USER), not_found(1), email_taken();
    NotOpened: invalid_body(INVALID_ACCOUNT), not_found(1);
}

/// Create a user
///
/// A new user receives an id that no customer has.
#[utoipa::path(
    post,
    path = "/api/users",
    operation_id = "createUser",
    tag = TAG,
    request_body = NewUser,
    responses((status = 201, description = "The user.", body = User), NotCreated)
)]
pub async fn create(request: Request) -> CommandResult {
    request.transact(CommandKind::CreateUser, INVALID_USER, commands::create).await
}

/// Update a user
///
/// Changes the name, the e-mail address or both.
#[utoipa::path(
    patch,
    path = "/api/users/{id}",
    operation_id = "changeUser",
    tag = TAG,
    params(("id" = Id, Path, description = "The user.", example = 1)),
    request_body = UserChangeBody,
    responses((status = 200, description = "The user.", body = User), NotChanged)
)]
pub async fn update(id: Segment, request: Request) -> CommandResult {
    let id = id.id(INVALID_USER)?;
    request
        .transact(CommandKind::UpdateUser, INVALID_USER, move |pool, change, origin| {
            commands::change(pool, id, change, origin)
        })
        .await
}

/// Open an account
///
/// The newest account of a user holds the address. To change the address, open another
/// account.
#[utoipa::path(
    post,
    path = "/api/accounts",
    operation_id = "openAccount",
    tag = TAG,
    request_body = NewAccount,
    responses((status = 201, description = "The account.", body = Account), NotOpened)
)]
pub async fn open_account(request: Request) -> CommandResult {
    request.transact(CommandKind::OpenAccount, INVALID_ACCOUNT, commands::open_account).await
}
