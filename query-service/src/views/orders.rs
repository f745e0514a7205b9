//! `orders_read`: orders.

use super::created::Created;
use super::money;
use crate::database::Lists;
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::format::Message;
use service_runtime::openapi::{Id, invalid_id};
use service_runtime::paging::{self, Page};
use service_runtime::parameters::Query;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::{format_of, parameters, refusals};
use shared_events::{Money, OrderHeader, OrderLine, OrderStatus};
use sqlx::types::Decimal;
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::HashMap;

/// An order.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id of the order.
    #[schema(value_type = Id)]
    id: i64,
    /// The properties that do not change.
    #[serde(flatten)]
    header: OrderHeader,
    /// Sum of the lines.
    total: Money,
    /// Current status.
    #[schema(value_type = OrderStatus)]
    status: String,
    /// When the order was placed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    created_at: DateTime<Utc>,
    /// When the status last changed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    updated_at: DateTime<Utc>,
}

/// An order with its lines.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OrderWithItems {
    #[serde(flatten)]
    order: Order,
    /// The order lines, with names, categories and prices as ordered.
    items: Vec<OrderLine>,
}

/// The columns of [`Row`].
const COLUMNS: &str = "order_id, customer_id, total, status, created_at, updated_at";

/// A row of the view without the order lines.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    order_id: i64,
    customer_id: i64,
    total: Decimal,
    status: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A row of the view.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RowWithItems {
    #[sqlx(flatten)]
    order: Row,
    /// JSON.
    items: String,
}

impl TryFrom<Row> for Order {
    type Error = Problem;

    fn try_from(row: Row) -> Result<Self, Problem> {
        Ok(Self {
            id: row.order_id,
            header: OrderHeader { customer_id: row.customer_id },
            total: money(row.total)?,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

parameters! {
    /// Filters of orders.
    pub struct OrderFilter {
        /// Only orders with this status.
        status: Option<Status> = "PAID",
        /// Only orders of this customer.
        customer_id: Option<Id> = 42,
    }
}

format_of! {
    /// The status of an order.
    pub Status: OrderStatus, string, parse = parse_status,
        schema = <OrderStatus as utoipa::PartialSchema>::schema();
}

/// List orders
///
/// The list omits order lines.
#[utoipa::path(
    get,
    path = "/api/orders",
    operation_id = "listOrders",
    tag = openapi::LISTS,
    params(Page, OrderFilter, Created),
    responses((status = 200, description = "A page of orders.", body = Vec<Order>))
)]
pub async fn list(
    State(Lists(pool)): State<Lists>,
    Query((page, (filter, created))): Query<(Page, (OrderFilter, Created))>,
) -> Result<Response, Problem> {
    let OrderFilter { status, customer_id } = filter;
    let status = status.map(OrderStatus::as_str);
    let Created { created_from: from, created_to: to } = created;
    let (first, rows) = (page.first_id(), page.limit + 1);
    let is_by_time_alone =
        status.is_none() && customer_id.is_none() && (from.is_some() || to.is_some());
    let rows: Vec<Row> = if is_by_time_alone {
        let sql = include_str!("orders_between.sql").replace("{columns}", COLUMNS);
        let query =
            sqlx::query_as(AssertSqlSafe(sql)).bind(page.descending()).bind(first).bind(rows);
        query.bind(from).bind(to).fetch_all(&pool).await?
    } else {
        let sql = include_str!("orders.sql").replace("{columns}", COLUMNS);
        let query =
            sqlx::query_as(AssertSqlSafe(sql)).bind(page.descending()).bind(first).bind(rows);
        query.bind(status).bind(customer_id).bind(from).bind(to).fetch_all(&pool).await?
    };
    let orders = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(paging::page(orders, page.limit, |order| order.id))
}

fn parse_status(text: &str) -> Result<OrderStatus, Message> {
    text.parse().map_err(|_| {
        let all: Vec<&str> = OrderStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("must be one of {}", all.join(", ")).into()
    })
}

/// The orders with these ids.
pub async fn find(pool: PgPool, order_ids: Vec<i64>) -> sqlx::Result<HashMap<i64, RowWithItems>> {
    let sql =
        format!("SELECT {COLUMNS}, items::text AS items FROM orders_read WHERE order_id = ANY($1)");
    let rows: Vec<RowWithItems> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(order_ids).fetch_all(&pool).await?;
    Ok(rows.into_iter().map(|row| (row.order.order_id, row)).collect())
}

/// The text of the response to an invalid id.
const INVALID_ID: &str = "Invalid order id";

fn not_found(id: i64) -> Problem {
    Problem::not_found("Order not found")
        .detail(format!("No event about order {id} has been applied."))
}

refusals! {
    NotFound:
        invalid_id(INVALID_ID),
        not_found(1),
}

/// Retrieve an order
///
/// Includes the order lines.
#[utoipa::path(
    get,
    path = "/api/orders/{id}",
    operation_id = "getOrder",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The order.", example = 1)),
    responses((status = 200, description = "The order.", body = OrderWithItems), NotFound)
)]
pub async fn get(
    State(rows): State<Lookup<i64, RowWithItems>>,
    id: Segment,
) -> Result<Json<OrderWithItems>, Problem> {
    let order_id = id.id(INVALID_ID)?;
    let row = rows.get(order_id).await?.ok_or_else(|| not_found(order_id))?;
    let items = serde_json::from_str(&row.items).map_err(|error| Problem::internal(&error))?;
    let order = row.order.try_into()?;
    Ok(Json(OrderWithItems { order, items }))
}
