//! `orders_read`: orders.

use super::amount::Amount;
use super::filters::Created;
use super::resource::{NoOrder, ORDER};
use crate::database::Lists;
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use service_runtime::openapi::Id;
use service_runtime::paging::{self, Page};
use service_runtime::parameters::Query;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::{format_of, parameters};
use shared_events::{Money, OrderHeader, OrderLine, OrderStatus, RefundItem};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, PgPool, Row as _};

/// An order.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id of the order.
    #[schema(value_type = Id)]
    id: i64,
    /// The properties that do not change.
    #[serde(flatten)]
    header: OrderHeader,
    /// Sum of the lines.
    total: Amount,
    /// Current status.
    #[schema(value_type = OrderStatus)]
    status: String,
    /// Sum of the refunds.
    refunded_total: Amount,
    /// Why the order last changed, if a reason was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("scratched"))]
    reason: Option<String>,
    /// When the order was placed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    created_at: DateTime<Utc>,
    /// When the order last changed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    updated_at: DateTime<Utc>,
}

/// An order with its lines and refunds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OrderWithItems {
    #[serde(flatten)]
    order: Order,
    /// The order lines, with names, categories and prices as ordered.
    items: Vec<OrderLine>,
    /// The refunds, the oldest first.
    refunds: Vec<Refund>,
}

/// A refund. `refundId` repeats `id`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// The id of the refund.
    #[schema(value_type = Id)]
    refund_id: i64,
    /// The id of the refund.
    #[schema(value_type = Id)]
    id: i64,
    /// The order.
    #[schema(value_type = Id)]
    order_id: i64,
    /// What was refunded, by line of the order.
    items: Vec<RefundItem>,
    /// Sum of the items.
    amount: Money,
    /// Sum of all refunds of the order up to this one.
    refunded_total: Money,
    /// Status of the order after the refund.
    status: OrderStatus,
    /// Why, if a reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("scratched"))]
    reason: Option<String>,
    /// When the refund was made.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    created_at: DateTime<Utc>,
}

/// A row of the view. Each request parses the lines of its own order, so that a large order
/// does not delay others.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    #[sqlx(flatten)]
    order: Order,
    /// JSON.
    items: String,
    /// JSON; none without refunds.
    refunds: Option<String>,
}

/// The columns of [`Order`].
const COLUMNS: &str =
    "order_id, customer_id, total, status, refunded_total, reason, created_at, updated_at";

impl FromRow<'_, PgRow> for Order {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("order_id")?,
            header: OrderHeader { customer_id: row.try_get("customer_id")? },
            total: row.try_get("total")?,
            status: row.try_get("status")?,
            refunded_total: row.try_get("refunded_total")?,
            reason: row.try_get("reason")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
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
    pub Status: OrderStatus, string, parse = OrderStatus::read,
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
    let orders: Vec<Order> = if is_by_time_alone {
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
    Ok(paging::page(orders, page.limit, |order| order.id))
}

/// The orders with these ids.
pub async fn find(pool: PgPool, order_ids: Vec<i64>) -> sqlx::Result<Vec<(i64, Row)>> {
    let sql = include_str!("orders_by_id.sql").replace("{columns}", COLUMNS);
    let rows: Vec<Row> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(order_ids).fetch_all(&pool).await?;
    Ok(rows.into_iter().map(|row| (row.order.id, row)).collect())
}

/// Retrieve an order
///
/// Includes the order lines and the refunds.
#[utoipa::path(
    get,
    path = "/api/orders/{id}",
    operation_id = "getOrder",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The order.", example = 1)),
    responses((status = 200, description = "The order.", body = OrderWithItems), NoOrder)
)]
pub async fn get(
    State(orders): State<Lookup<i64, Row>>,
    id: Segment,
) -> Result<Json<OrderWithItems>, Problem> {
    let Row { order, items, refunds } = ORDER.look_up(&orders, &id).await?;
    let items = serde_json::from_str(&items).map_err(|error| Problem::internal(&error))?;
    Ok(Json(OrderWithItems { order, items, refunds: parse_refunds(refunds)? }))
}

/// List the refunds of an order
///
/// All of them, the oldest first.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/refunds",
    operation_id = "listRefundsOfOrder",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The order.", example = 1)),
    responses((status = 200, description = "The refunds.", body = Vec<Refund>), NoOrder)
)]
pub async fn refunds(
    State(orders): State<Lookup<i64, Row>>,
    id: Segment,
) -> Result<Json<Vec<Refund>>, Problem> {
    let Row { refunds, .. } = ORDER.look_up(&orders, &id).await?;
    parse_refunds(refunds).map(Json)
}

fn parse_refunds(json: Option<String>) -> Result<Vec<Refund>, Problem> {
    let refunds = json.map(|json| serde_json::from_str(&json)).transpose();
    refunds.map(Option::unwrap_or_default).map_err(|error| Problem::internal(&error))
}
