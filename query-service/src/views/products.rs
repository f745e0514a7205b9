//! `products_read_view`: the catalogue.

use super::amount::Amount;
use super::filters::Text;
use super::resource::{NoProduct, PRODUCT};
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
use utoipa::ToSchema;

/// A product of the catalogue.
#[derive(Clone, Debug, Serialize, ToSchema)]
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
    price: Amount,
    /// Units in stock; null if stock is not tracked.
    #[schema(required = true, examples(98))]
    stock: Option<i64>,
    /// When the product was last changed or ordered.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    updated_at: DateTime<Utc>,
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
    let products = sqlx::query_file_as!(
        Product,
        "src/views/products.sql",
        page.descending(),
        page.first_id(),
        page.limit + 1,
        filter.category,
    )
    .fetch_all(&pool)
    .await?;
    Ok(paging::page(products, page.limit, |product| product.id))
}

/// The products with these ids.
pub async fn find(pool: PgPool, product_ids: Vec<i64>) -> sqlx::Result<Vec<(i64, Product)>> {
    sqlx::query_as!(
        Product,
        r#"SELECT product_id AS "id!", name AS "name!", category AS "category!",
                  price AS "price!: Amount", stock, updated_at AS "updated_at!"
           FROM products_read_view
           WHERE product_id = ANY($1)"#,
        &product_ids,
    )
    .map(|product| (product.id, product))
    .fetch_all(&pool)
    .await
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
    State(products): State<Lookup<i64, Product>>,
    id: Segment,
) -> Result<Json<Product>, Problem> {
    PRODUCT.look_up(&products, &id).await.map(Json)
}
