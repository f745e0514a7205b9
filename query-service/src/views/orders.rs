//! `orders_read`: each order as it stands.

use super::created::Created;
use super::{ByKey, money};
use crate::database::Lists;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::json_body::integer;
use service_runtime::openapi::Id;
use service_runtime::paging::{self, PageOfIds, PageParameters};
use service_runtime::parameters::Parameters;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::{Money, OrderHeader, OrderLine, OrderStatus};
use sqlx::types::Decimal;
use sqlx::{AssertSqlSafe, PgPool};
use std::borrow::Cow;
use std::collections::HashMap;

/// An order as it stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    #[schema(value_type = Id)]
    id: i64,
    /// The properties that do not change.
    #[serde(flatten)]
    header: OrderHeader,
    /// Sum of its lines.
    total: Money,
    /// Where it stands in its life.
    #[schema(value_type = OrderStatus)]
    status: String,
    /// When it was placed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    created_at: DateTime<Utc>,
    /// When it came to its status.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    updated_at: DateTime<Utc>,
}

/// An order with its lines.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OrderWithItems {
    #[serde(flatten)]
    order: Order,
    /// Its lines, with names, categories and prices as ordered.
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

/// The parameters that filter orders, as documents have them.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "they are read one by one")]
pub struct OrderFilter {
    /// Only those with this status.
    #[param(required = false, example = "PAID")]
    status: OrderStatus,
    /// Only those of this customer.
    #[param(value_type = Id, required = false, example = 42)]
    customer_id: i64,
}

/// Orders, without their lines
#[utoipa::path(
    get,
    path = "/api/orders",
    operation_id = "listOrders",
    tag = openapi::LISTS,
    params(PageParameters, OrderFilter, Created),
    responses((status = 200, description = "A page of orders.", body = Vec<Order>))
)]
pub async fn list(
    State(Lists(pool)): State<Lists>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let page = PageOfIds::read(&mut parameters);
    let status = parameters.optional("status", status).map(OrderStatus::as_str);
    let customer_id = parameters.optional("customerId", |text| integer(text, 1, i64::MAX));
    let Created { created_from: from, created_to: to } = Created::read(&mut parameters);
    parameters.check()?;
    let (first, rows) = (page.from, page.limit + 1);
    let is_by_time_alone =
        status.is_none() && customer_id.is_none() && (from.is_some() || to.is_some());
    let rows: Vec<Row> = if is_by_time_alone {
        let sql = include_str!("orders_between.sql").replace("{columns}", COLUMNS);
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(page.descending).bind(first).bind(rows);
        query.bind(from).bind(to).fetch_all(&pool).await?
    } else {
        let sql = include_str!("orders.sql").replace("{columns}", COLUMNS);
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(page.descending).bind(first).bind(rows);
        query.bind(status).bind(customer_id).bind(from).bind(to).fetch_all(&pool).await?
    };
    let orders = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(paging::page(orders, page.limit, |order| order.id))
}

fn status(text: &str) -> Result<OrderStatus, Cow<'static, str>> {
    text.parse().map_err(|_| {
        let all: Vec<&str> = OrderStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("must be one of {}", all.join(", ")).into()
    })
}

/// The orders of those ids.
pub async fn find(pool: PgPool, order_ids: Vec<i64>) -> sqlx::Result<HashMap<i64, RowWithItems>> {
    let sql =
        format!("SELECT {COLUMNS}, items::text AS items FROM orders_read WHERE order_id = ANY($1)");
    let rows: Vec<RowWithItems> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(order_ids).fetch_all(&pool).await?;
    Ok(rows.into_iter().map(|row| (row.order.order_id, row)).collect())
}

refusals! {
    /// Why there is no answer.
    NotFound:
        Problem::bad_request("Invalid order id").detail("The id in the path is not valid."),
        Problem::not_found("Order not found").detail("No event about the order has arrived."),
}

/// An order, with its lines
#[utoipa::path(
    get,
    path = "/api/orders/{id}",
    operation_id = "getOrder",
    tag = openapi::LISTS,
    params(("id" = Id, Path, description = "The order.", example = 1)),
    responses((status = 200, description = "The order.", body = OrderWithItems), NotFound)
)]
pub async fn get(
    State(by_key): State<ByKey>,
    id: Segment,
) -> Result<Json<OrderWithItems>, Problem> {
    let order_id = id.id("Invalid order id")?;
    let row = by_key.orders.get(order_id).await?.ok_or_else(|| {
        Problem::not_found("Order not found")
            .detail(format!("No event about order {order_id} has arrived."))
    })?;
    let items = serde_json::from_str(&row.items).map_err(|error| Problem::internal(&error))?;
    let order = row.order.try_into()?;
    Ok(Json(OrderWithItems { order, items }))
}
