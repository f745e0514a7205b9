//! `users_read`: each user as they stand.

use super::ByKey;
use crate::database::Lists;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::paging::{self, PageOfIds};
use service_runtime::parameters::{Parameters, text, time};
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use sqlx::PgPool;
use std::collections::HashMap;

/// A user as they stand.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    id: i64,
    name: String,
    email: String,
    /// That of the newest account; null before any.
    address: Option<Address>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A postal address.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    account_id: i64,
    address1: String,
    city: String,
    state: String,
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

/// `GET /api/users`
pub async fn list(
    State(Lists(pool)): State<Lists>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let page = PageOfIds::read(&mut parameters);
    let email = parameters.optional("email", text);
    let created_from = parameters.optional("createdFrom", time);
    let created_to = parameters.optional("createdTo", time);
    parameters.check()?;
    let rows = sqlx::query_file_as!(
        Row,
        "src/views/users.sql",
        page.descending,
        page.after,
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

/// `GET /api/users/{id}`
pub async fn get(State(by_key): State<ByKey>, id: Segment) -> Result<Json<User>, Problem> {
    let user_id = id.id("Invalid user id")?;
    let row = by_key.users.get(user_id).await?.ok_or_else(|| {
        Problem::not_found("User not found")
            .detail(format!("No event about user {user_id} has arrived."))
    })?;
    Ok(Json(row.into()))
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
