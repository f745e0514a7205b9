//! The transactions that change products.

use super::rules::{NewProduct, Product, ProductChange};
use crate::origin::Origin;
use crate::response::CommandResult;
use crate::transactions::{begin, commit, money};
use service_runtime::problem::Problem;
use shared_events::{Event, Payload, PriceChanged, ProductState, now};
use sqlx::{PgConnection, PgPool};

/// Creates a product.
pub async fn create(pool: PgPool, new: NewProduct, origin: Origin) -> CommandResult {
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
    let product =
        Product { product_id: id, id, name, category, price, stock, version: 1, created_at };
    let payload = Payload::ProductCreated(product.state(None));
    let event = Event::new(1, created_at, origin.trace, payload);
    commit(transaction, event, Some(format!("/api/products/{id}")), &product, origin.key).await
}

/// Changes a product. `payload` makes the payload of the event from the product before the change
/// and its state after it.
///
/// # Errors
/// 404 if there is no such product.
pub async fn change(
    pool: PgPool,
    id: i64,
    change: ProductChange,
    payload: impl FnOnce(&Product, ProductState) -> Payload,
    origin: Origin,
) -> CommandResult {
    let mut transaction = begin(&pool).await?;
    let before = lock(&mut transaction, id).await?.ok_or_else(|| not_found(id))?;
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
    let payload = payload(&before, after.state(before.stock));
    let event = Event::new(after.version, now(), origin.trace, payload);
    commit(transaction, event, None, &after, origin.key).await
}

/// The payload of a command that changes only the price.
pub fn price_changed(before: &Product, product: ProductState) -> Payload {
    let (old_price, new_price) = (before.price, product.price);
    Payload::PriceChanged(PriceChanged { product, old_price, new_price })
}

/// The response if there is no such product.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("Product not found").detail(format!("There is no product {id}."))
}

async fn lock(connection: &mut PgConnection, id: i64) -> sqlx::Result<Option<Product>> {
    // NO KEY: foreign key checks of order lines do not wait for this lock.
    let row = sqlx::query!(
        "SELECT name, category, price, stock, version, created_at
         FROM products
         WHERE id = $1
         FOR NO KEY UPDATE",
        id,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Product {
        product_id: id,
        id,
        name: row.name,
        category: row.category,
        price: money(row.price)?,
        stock: row.stock,
        version: row.version,
        created_at: row.created_at,
    }))
}
