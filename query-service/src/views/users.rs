//! `users_read`: users.

use super::filters::{Created, EmailText};
use super::resource::{NoUser, USER};
use crate::database::Lists;
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::paging::{self, Page};
use service_runtime::parameters;
use service_runtime::parameters::Query;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use sqlx::PgPool;

/// A user.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id of the user, which is also a customer id.
    #[schema(value_type = Id)]
    id: i64,
    /// The name.
    #[schema(examples("Ada Lovelace"))]
    name: String,
    /// The e-mail address.
    #[schema(examples("ada@example.com"))]
    pub email: String,
    /// The address of the newest account; null without an account.
    #[schema(required = true)]
    pub address: Option<Address>,
    /// When the user was created.
    #[schema(examples("2026-11-21T11:44:33.387693Z"))]
    created_at: DateTime<Utc>,
    /// When the user or the address last changed.
    #[schema(examples("2026-11-21T11:44:33.410562Z"))]
    updated_at: DateTime<Utc>,
}

/// A postal address.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
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

/// A row of the view. The columns of the address are all set or all null.
struct Row {
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

parameters! {
    /// Filters of users.
    pub struct UserFilter {
        /// Only the user with this e-mail address, regardless of case. A space stands for a
        /// `+` that is not percent-encoded.
        email: Option<EmailText>,
    }
}

/// List users
///
/// Each user has the address of the newest account.
#[utoipa::path(
    get,
    path = "/api/users",
    operation_id = "listUsers",
    tag = openapi::LISTS,
    params(Page, UserFilter, Created),
    responses((status = 200, description = "A page of users.", body = Vec<User>))
)]
pub async fn list(
    State(Lists(pool)): State<Lists>,
    Query((page, (filter, created))): Query<(Page, (UserFilter, Created))>,
) -> Result<Response, Problem> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/views/users.sql",
        page.descending(),
        page.first_id(),
        page.limit + 1,
        filter.email,
        created.created_from,
        created.created_to,
    )
    .fetch_all(&pool)
    .await?;
    let users: Vec<User> = rows.into_iter().map(User::from).collect();
    Ok(paging::page(users, page.limit, |user| user.id))
}

/// Retrieve a user
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    operation_id = "getUser",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The user.", example = 1)),
    responses((status = 200, description = "The user.", body = User), NoUser)
)]
pub async fn get(
    State(users): State<Lookup<i64, User>>,
    id: Segment,
) -> Result<Json<User>, Problem> {
    USER.look_up(&users, &id).await.map(Json)
}

/// The users with these ids.
pub async fn find(pool: PgPool, user_ids: Vec<i64>) -> sqlx::Result<Vec<(i64, User)>> {
    sqlx::query_as!(
        Row,
        r#"SELECT user_id, name AS "name!", email AS "email!", account_id, address1, city, state,
                  zip, created_at, updated_at
           FROM users_read
           WHERE name IS NOT NULL AND user_id = ANY($1)"#,
        &user_ids,
    )
    .map(|row| (row.user_id, row.into()))
    .fetch_all(&pool)
    .await
}
