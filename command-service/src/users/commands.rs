//! The transactions that change users.

use super::rules::{Account, NewAccount, NewUser, User, UserChange};
use crate::origin::Origin;
use crate::response::CommandResult;
use crate::transactions::{begin, commit};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use service_runtime::problem::Problem;
use shared_events::{Event, Payload, now};
use sqlx::{PgConnection, PgPool};

/// Key of the advisory lock for moving the sequence of user ids.
const SKIPPING_CUSTOMERS: i64 = 7_365_901;

/// Creates a user.
///
/// # Errors
/// 409 if the e-mail address is taken.
pub async fn create(pool: PgPool, new: NewUser, origin: Origin) -> CommandResult {
    let mut transaction = begin(&pool).await?;
    let created_at = now();
    let id = create_customer(&mut transaction, &new.name, created_at).await?;
    sqlx::query!(
        "INSERT INTO users (id, name, email, created_at) VALUES ($1, $2, $3, $4)",
        id,
        new.name,
        new.email,
        created_at,
    )
    .execute(&mut *transaction)
    .await
    .map_err(refuse_taken_email)?;
    let NewUser { name, email } = new;
    let user = User { user_id: id, id, name, email, version: 1, created_at };
    let event = Event::new(1, created_at, origin.trace, Payload::UserCreated(user.state()));
    commit(transaction, event, Some(format!("/api/users/{id}")), &user, origin.key).await
}

/// Changes a user.
///
/// # Errors
/// 404 if there is no such user; 409 if the e-mail address is taken.
pub async fn change(pool: PgPool, id: i64, change: UserChange, origin: Origin) -> CommandResult {
    let mut transaction = begin(&pool).await?;
    let before = lock(&mut transaction, id).await?.ok_or_else(|| not_found(id))?;
    let after = before.changed(change);
    sqlx::query!(
        "WITH customer AS (UPDATE customers SET name = $2 WHERE id = $1 AND name <> $2)
         UPDATE users SET name = $2, email = $3, version = $4 WHERE id = $1",
        id,
        after.name,
        after.email,
        after.version,
    )
    .execute(&mut *transaction)
    .await
    .map_err(refuse_taken_email)?;
    let event = Event::new(after.version, now(), origin.trace, Payload::UserUpdated(after.state()));
    commit(transaction, event, None, &after, origin.key).await
}

/// Opens an account.
///
/// # Errors
/// 404 if there is no such user.
pub async fn open_account(pool: PgPool, new: NewAccount, origin: Origin) -> CommandResult {
    let mut transaction = begin(&pool).await?;
    // The row of the user stays locked, so of two accounts the one with the higher id has the
    // higher version.
    let version = sqlx::query_scalar!(
        "UPDATE users SET version = version + 1 WHERE id = $1 RETURNING version",
        new.user_id,
    )
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(|| not_found(new.user_id))?;
    let created_at = now();
    let id = sqlx::query_scalar!(
        "INSERT INTO accounts (user_id, address1, city, state, zip, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING id",
        new.user_id,
        new.address1,
        new.city,
        new.state,
        new.zip,
        created_at,
    )
    .fetch_one(&mut *transaction)
    .await?;
    // The user has the address.
    let location = Some(format!("/api/users/{}", new.user_id));
    let account = Account { account_id: id, id, details: new, status: "open", created_at };
    let event =
        Event::new(version, created_at, origin.trace, Payload::AccountCreated(account.event()));
    commit(transaction, event, location, &account, origin.key).await
}

/// The response if there is no such user.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("User not found").detail(format!("There is no user {id}."))
}

/// Creates a customer with an id that no customer has.
///
/// Orders create customers under any id. If the next user id is taken, many following ids are
/// often taken too. Then one transaction moves the sequence past them while others wait.
async fn create_customer(
    connection: &mut PgConnection,
    name: &str,
    created_at: DateTime<Utc>,
) -> sqlx::Result<i64> {
    if let Some(id) = try_next_id(connection, name, created_at).await? {
        return Ok(id);
    }
    // Held until the transaction ends.
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", SKIPPING_CUSTOMERS)
        .execute(&mut *connection)
        .await?;
    loop {
        if let Some(id) = try_next_id(connection, name, created_at).await? {
            return Ok(id);
        }
        sqlx::query_file!("src/users/skip_customers.sql").fetch_one(&mut *connection).await?;
    }
}

async fn try_next_id(
    connection: &mut PgConnection,
    name: &str,
    created_at: DateTime<Utc>,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "INSERT INTO customers (id, name, created_at)
         VALUES (nextval('users_id_seq'), $1, $2)
         ON CONFLICT (id) DO NOTHING
         RETURNING id",
        name,
        created_at,
    )
    .fetch_optional(connection)
    .await
}

async fn lock(connection: &mut PgConnection, id: i64) -> sqlx::Result<Option<User>> {
    // NO KEY: foreign key checks of accounts do not wait for this lock.
    sqlx::query_as!(
        User,
        "SELECT id AS user_id, id, name, email, version, created_at
         FROM users
         WHERE id = $1
         FOR NO KEY UPDATE",
        id,
    )
    .fetch_optional(connection)
    .await
}

fn refuse_taken_email(error: sqlx::Error) -> Problem {
    let violated = error.as_database_error().and_then(|error| error.constraint());
    if violated == Some("users_email") { email_taken() } else { error.into() }
}

/// The response if another user has the e-mail address.
pub fn email_taken() -> Problem {
    Problem::new(StatusCode::CONFLICT, "Email already taken")
        .detail("Another user has this e-mail address. Nothing was changed.")
}
