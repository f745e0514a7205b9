//! `products_read_view`: the catalogue.

use super::money;
use super::text::Text;
use crate::database::Lists;
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::{Id, invalid_id};
use service_runtime::paging::{self, Page};
use service_runtime::parameters;
use service_runtime::parameters::Query;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A product of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// The id of the product.
    #[schema(value_type = Id)]
    id: i64,
    /// The name.
    #[schema(examples("Assam tea"))]
    name: String,
    /// The category.
    #[schema(examples("Drinks"))]
    category: String,
    /// Price per unit.
    price: Money,
    /// Units in stock; null if stock is not tracked.
    #[schema(required = true, examples(98))]
    stock: Option<i64>,
    /// When the product was last changed or ordered.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    updated_at: DateTime<Utc>,
}

/// A row of the view.
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

parameters! {
    /// Filters of products.
    pub struct ProductFilter {
        /// Only products that currently have this category, regardless of case.
        category: Option<Text> = "Drinks",
    }
}

/// List products
#[utoipa::path(
    get,
    path = "/api/products",
    operation_id = "listProducts",
    tag = openapi::LISTS,
    params(Page, ProductFilter),
    responses((status = 200, description = "A page of products.", body = Vec<Product>))
)]
pub async fn list(
    State(Lists(pool)): State<Lists>,
    Query((page, filter)): Query<(Page, ProductFilter)>,
) -> Result<Response, Problem> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/views/products.sql",
        page.descending(),
        page.first_id(),
        page.limit + 1,
        filter.category,
    )
    .fetch_all(&pool)
    .await?;
    let products = rows.into_iter().map(Product::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(paging::page(products, page.limit, |product| product.id))
}

/// The products with these ids.
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

/// The text of the response to an invalid id.
pub const INVALID_ID: &str = "Invalid product id";

/// The response if no event has named the product.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("Product not found")
        .detail(format!("No event about product {id} has been applied."))
}

refusals! {
    pub NoProduct: invalid_id(INVALID_ID), not_found(1)
}

/// Retrieve a product
#[utoipa::path(
    get,
    path = "/api/products/{id}",
    operation_id = "getProduct",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The product.", example = 1)),
    responses((status = 200, description = "The product.", body = Product), NoProduct)
)]
pub async fn get(
    State(rows): State<Lookup<i64, Row>>,
    id: Segment,
) -> Result<Json<Product>, Problem> {
    let product_id = id.id(INVALID_ID)?;
    let row = rows.get(product_id).await?.ok_or_else(|| not_found(product_id))?;
    Ok(Json(row.try_into()?))
}
