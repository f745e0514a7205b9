//! `products_read_view`: the catalogue.

use super::{ByKey, money};
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
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A product of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    #[schema(value_type = Id)]
    id: i64,
    /// Its name.
    #[schema(examples("Assam tea"))]
    name: String,
    /// Its category.
    #[schema(examples("Drinks"))]
    category: String,
    /// Price of one piece.
    price: Money,
    /// Pieces left; null if stock is not tracked.
    #[schema(required = true, examples(98))]
    stock: Option<i64>,
    /// When it was last changed, or ordered.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    updated_at: DateTime<Utc>,
}

/// A product of the catalogue, as its view has it.
#[derive(Clone, Debug)]
pub struct Row {
    product_id: i64,
    name: String,
    category: String,
    price: Decimal,
    stock: Option<i64>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Product {
    type Error = Problem;

    fn try_from(row: Row) -> Result<Self, Problem> {
        Ok(Self {
            id: row.product_id,
            name: row.name,
            category: row.category,
            price: money(row.price)?,
            stock: row.stock,
            updated_at: row.updated_at,
        })
    }
}

/// The parameters that filter products, as documents have them.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are read one by one")]
pub struct ProductFilter {
    /// Only those that are in it now, without regard to case.
    #[param(required = false, pattern = "^[^\\x00]*$", example = "Drinks")]
    category: String,
}

/// The catalogue
#[utoipa::path(
    get,
    path = "/api/products",
    operation_id = "listProducts",
    tag = openapi::LISTS,
    params(PageParameters, ProductFilter),
    responses((status = 200, description = "A page of products.", body = Vec<Product>))
)]
pub async fn list(
    State(Lists(pool)): State<Lists>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let page = PageOfIds::read(&mut parameters);
    let category = parameters.optional("category", text);
    parameters.check()?;
    let rows = sqlx::query_file_as!(
        Row,
        "src/views/products.sql",
        page.descending,
        page.from,
        page.limit + 1,
        category,
    )
    .fetch_all(&pool)
    .await?;
    let products = rows.into_iter().map(Product::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(paging::page(products, page.limit, |product| product.id))
}

/// The products of those ids, as far as their state is known.
pub async fn find(pool: PgPool, product_ids: Vec<i64>) -> sqlx::Result<HashMap<i64, Row>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT product_id AS "product_id!", name AS "name!", category AS "category!",
                  price AS "price!", stock, updated_at AS "updated_at!"
           FROM products_read_view
           WHERE product_id = ANY($1)"#,
        &product_ids,
    )
    .fetch_all(&pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row)).collect())
}

/// A product
#[utoipa::path(
    get,
    path = "/api/products/{id}",
    operation_id = "getProduct",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The product.", example = 1)),
    responses((status = 200, description = "The product.", body = Product), openapi::NoProduct)
)]
pub async fn get(State(by_key): State<ByKey>, id: Segment) -> Result<Json<Product>, Problem> {
    let product_id = id.id("Invalid product id")?;
    let row = by_key.products.get(product_id).await?.ok_or_else(|| {
        Problem::not_found("Product not found")
            .detail(format!("No event about product {product_id} has arrived."))
    })?;
    Ok(Json(row.try_into()?))
}
