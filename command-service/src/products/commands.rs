//! The transactions that change products.

use super::responses;
use super::rules::{NewProduct, Product, ProductChange};
use crate::command_kind::CommandKind;
use crate::origin::Origin;
use crate::response::CommandResponse;
use crate::transactions::{begin, commit_with};
use service_runtime::problem::Problem;
use shared_events::{Envelope, Event, Money, Payload, PriceChanged, PriceStep, now};
use sqlx::{PgConnection, PgPool};

/// The command that changes a product. It determines the type of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Details,
    Price,
}

impl ChangeKind {
    /// The kind of command.
    pub const fn kind(self) -> CommandKind {
        match self {
            Self::Details => CommandKind::UpdateProduct,
            Self::Price => CommandKind::ChangePrice,
        }
    }
}

/// Creates a product.
pub async fn create(
    pool: PgPool,
    new: NewProduct,
    origin: Origin,
) -> Result<CommandResponse, Problem> {
    let mut transaction = begin(&pool).await?;
    let created_at = now();
    let id = sqlx::query_scalar!(
        "INSERT INTO products (name, category, price, stock, created_at)
         VALUES ($1, $2, $3, $4, $5)
         RETURNING id",
        new.name,
        new.category,
        new.price.as_decimal(),
        new.stock,
        created_at,
    )
    .fetch_one(&mut *transaction)
    .await?;
    let NewProduct { name, category, price, stock } = new;
    let product = Product { id, name, category, price, stock, version: 1, created_at };
    let event = Event {
        envelope: Envelope::new(product.version, created_at, origin.trace),
        payload: Payload::ProductCreated(product.state(None)),
    };
    let response = responses::created(&product, event.envelope.event_id)?;
    commit_with(transaction, event, response, origin.key).await
}

/// Changes a product.
///
/// # Errors
/// 404 if there is no such product.
pub async fn change(
    pool: PgPool,
    id: i64,
    change: ProductChange,
    kind: ChangeKind,
    origin: Origin,
) -> Result<CommandResponse, Problem> {
    let mut transaction = begin(&pool).await?;
    let Some(before) = lock(&mut transaction, id).await? else {
        transaction.rollback().await?;
        return Err(not_found(id));
    };
    let after = before.changed(change);
    sqlx::query!(
        "UPDATE products
         SET name = $2, category = $3, price = $4, stock = $5, version = $6
         WHERE id = $1",
        id,
        after.name,
        after.category,
        after.price.as_decimal(),
        after.stock,
        after.version,
    )
    .execute(&mut *transaction)
    .await?;
    let event = Event {
        envelope: Envelope::new(after.version, now(), origin.trace),
        payload: payload(kind, &before, &after),
    };
    let response = responses::changed(&after, event.envelope.event_id)?;
    commit_with(transaction, event, response, origin.key).await
}

fn payload(kind: ChangeKind, before: &Product, after: &Product) -> Payload {
    let product = after.state(before.stock);
    match kind {
        ChangeKind::Details => Payload::ProductUpdated(product),
        ChangeKind::Price => Payload::PriceChanged(PriceChanged {
            product,
            prices: PriceStep { old_price: before.price, new_price: after.price },
        }),
    }
}

/// The response if there is no such product.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("Product not found").detail(format!("There is no product {id}."))
}

async fn lock(connection: &mut PgConnection, id: i64) -> Result<Option<Product>, Problem> {
    // NO KEY: foreign key checks of order lines do not wait for this lock.
    let row = sqlx::query!(
        "SELECT id, name, category, price, stock, version, created_at
         FROM products
         WHERE id = $1
         FOR NO KEY UPDATE",
        id,
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Product {
            id: row.id,
            name: row.name,
            category: row.category,
            price: Money::from_decimal(row.price).map_err(|error| Problem::internal(&error))?,
            stock: row.stock,
            version: row.version,
            created_at: row.created_at,
        })
    })
    .transpose()
}
