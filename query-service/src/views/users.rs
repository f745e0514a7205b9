//! `users_read`: each user as they stand.

use super::ByKey;
use super::created::Created;
use crate::database::Lists;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::paging::{self, PageOfIds, PageParameters};
use service_runtime::parameters::{Parameters, text};
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use sqlx::PgPool;
use std::borrow::Cow;
use std::collections::HashMap;

/// A user as they stand.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id, which is a customer id.
    #[schema(value_type = Id)]
    id: i64,
    /// Their name.
    #[schema(examples("Ada Lovelace"))]
    name: String,
    /// Their e-mail address.
    #[schema(examples("ada@example.com"))]
    email: String,
    /// That of the newest account; null before any.
    #[schema(required = true)]
    address: Option<Address>,
    /// When they signed up.
    #[schema(examples("2026-11-21T11:44:33.387693Z"))]
    created_at: DateTime<Utc>,
    /// When they were last changed, or moved.
    #[schema(examples("2026-11-21T11:44:33.410562Z"))]
    updated_at: DateTime<Utc>,
}

/// A postal address.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({"accountId": 1, "address1": "1 Main Street", "city": "Springfield",
                         "state": "IL", "zip": "62701"})))]
pub struct Address {
    /// The account.
    #[schema(value_type = Id)]
    account_id: i64,
    /// Street and number.
    #[schema(examples("1 Main Street"))]
    address1: String,
    /// City.
    #[schema(examples("Springfield"))]
    city: String,
    /// State or region.
    #[schema(examples("IL"))]
    state: String,
    /// Postal code.
    #[schema(examples("62701"))]
    zip: String,
}

/// A user, as its view has them. The address, one column each: all are there or none.
#[derive(Clone, Debug)]
pub struct Row {
    user_id: i64,
    name: String,
    email: String,
    account_id: Option<i64>,
    address1: Option<String>,
    city: Option<String>,
    state: Option<String>,
    zip: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        let address = || {
            Some(Address {
                account_id: row.account_id?,
                address1: row.address1?,
                city: row.city?,
                state: row.state?,
                zip: row.zip?,
            })
        };
        Self {
            id: row.user_id,
            name: row.name,
            email: row.email,
            address: address(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl std::fmt::Display for Address {
    /// On one line: `1 Main Street, Springfield, IL 62701`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, {} {}", self.address1, self.city, self.state, self.zip)
    }
}

/// The parameters that filter users, as documents have them.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "they are read one by one")]
pub struct UserFilter {
    /// The whole address, without regard to case. A space stands for a `+`, which a query
    /// string that is not percent-encoded turns into a space.
    #[param(required = false, pattern = "^[^\\x00]*$", example = "ada@example.com")]
    email: String,
}

/// Users, with their address
#[utoipa::path(
    get,
    path = "/api/users",
    operation_id = "listUsers",
    tag = openapi::LISTS,
    params(PageParameters, UserFilter, Created),
    responses((status = 200, description = "A page of users.", body = Vec<User>))
)]
pub async fn list(
    State(Lists(pool)): State<Lists>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let page = PageOfIds::read(&mut parameters);
    let email = parameters.optional("email", email);
    let Created { created_from, created_to } = Created::read(&mut parameters);
    parameters.check()?;
    let rows = sqlx::query_file_as!(
        Row,
        "src/views/users.sql",
        page.descending,
        page.from,
        page.limit + 1,
        email,
        created_from,
        created_to,
    )
    .fetch_all(&pool)
    .await?;
    let users: Vec<User> = rows.into_iter().map(User::from).collect();
    Ok(paging::page(users, page.limit, |user| user.id))
}

refusals! {
    /// Why there is no answer.
    NotFound:
        Problem::bad_request("Invalid user id").detail("The id in the path is not valid."),
        Problem::not_found("User not found").detail("No event about the user has arrived."),
}

/// A user, with their address
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    operation_id = "getUser",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The user.", example = 1)),
    responses((status = 200, description = "The user.", body = User), NotFound)
)]
pub async fn get(State(by_key): State<ByKey>, id: Segment) -> Result<Json<User>, Problem> {
    let user_id = id.id("Invalid user id")?;
    let row = by_key.users.get(user_id).await?.ok_or_else(|| {
        Problem::not_found("User not found")
            .detail(format!("No event about user {user_id} has arrived."))
    })?;
    Ok(Json(row.into()))
}

/// An e-mail address contains no space, so a space was a `+`.
fn email(parameter: &str) -> Result<String, Cow<'static, str>> {
    text(&parameter.replace(' ', "+"))
}

/// The users of those ids, as far as their state is known.
pub async fn find(pool: PgPool, user_ids: Vec<i64>) -> sqlx::Result<HashMap<i64, Row>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT user_id, name AS "name!", email AS "email!", account_id, address1, city, state,
                  zip, created_at, updated_at
           FROM users_read
           WHERE name IS NOT NULL AND user_id = ANY($1)"#,
        &user_ids,
    )
    .fetch_all(&pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row)).collect())
}

impl Row {
    /// E-mail and address, for an invoice.
    pub fn into_contact(self) -> (String, Option<Address>) {
        let user = User::from(self);
        (user.email, user.address)
    }
}
