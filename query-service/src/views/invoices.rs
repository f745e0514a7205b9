//! Invoices: the orders of a customer in a month, computed from the current orders and the
//! current user.

use super::amount::Amount;
use super::users::User;
use crate::database::Lists;
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use service_runtime::format::{integer, integer_schema};
use service_runtime::openapi::Id;
use service_runtime::parameters::Query;
use service_runtime::problem::Problem;
use service_runtime::{format_of, parameters, refusals};
use shared_events::OrderLine;
use utoipa::ToSchema;

/// Maximum number of orders that an invoice lists. The total includes all orders.
const MAX_ORDERS: i64 = 10_000;

/// The invoice of a customer for a month, in UTC.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invoice {
    /// The id, which is the same for every request of this customer and month.
    #[schema(examples("INV-2026-11-1"))]
    invoice_id: String,
    /// The customer.
    #[schema(value_type = Id)]
    user_id: i64,
    /// The e-mail address; null if the customer is not a user.
    #[schema(required = true, examples("ada@example.com"))]
    email: Option<String>,
    /// The postal address; null without an account.
    #[schema(required = true, examples("1 Main Street, Springfield, IL 62701"))]
    shipping_address: Option<String>,
    /// The last day of the month.
    #[schema(examples("2026-11-30T00:00:00Z"))]
    invoice_date: DateTime<Utc>,
    /// The orders by ascending id, at most 10,000.
    orders: Vec<InvoicedOrder>,
    /// Sum of the net amounts of all orders, listed or not.
    total: Amount,
    /// Sum of what was refunded of these orders.
    refunded_total: Amount,
    /// Number of orders that are not listed. Absent if all are listed.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(minimum = 1, examples(1))]
    orders_not_listed: i64,
}

/// An order on an invoice.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvoicedOrder {
    /// The order.
    #[schema(value_type = Id)]
    order_id: i64,
    /// Quantity and name of the first 10 lines, and how many more there are.
    #[schema(examples("3 × Assam tea"))]
    description: String,
    /// The order's total.
    amount: Amount,
    /// What was refunded of it.
    refunded_amount: Amount,
    /// The amount less what was refunded.
    net_amount: Amount,
    /// When the order was placed.
    #[schema(examples("2026-11-21T11:44:33.430518Z"))]
    purchase_date: DateTime<Utc>,
}

parameters! {
    /// The invoice that a client requests.
    pub struct InvoiceParameters {
        /// The customer, who may be no user. `user_id` is accepted as well.
        user_id: Id,
        /// The month, in UTC.
        month: MonthNumber,
        /// The year.
        year: Year,
    }
    alias "user_id" => "userId";
}

format_of! {
    /// A month.
    pub MonthNumber: u32, literal, parse = |text| integer(text, 1, 12),
        schema = integer_schema(1, 12, 11);

    /// A year.
    pub Year: i32, literal, parse = |text| integer(text, 1970, 9999),
        schema = integer_schema(1970, 9999, 2026);
}

fn not_found(user_id: i64, month: &str) -> Problem {
    Problem::not_found("Invoice not found").detail(format!(
        "Customer {user_id} has no order in {month} that is neither cancelled nor refunded."
    ))
}

refusals! {
    NotFound: not_found(1, "2026-11")
}

/// Retrieve an invoice
///
/// An invoice is computed for every request. It does not contain cancelled and refunded
/// orders.
#[utoipa::path(
    get,
    path = "/api/invoices",
    operation_id = "getInvoice",
    tag = openapi::INVOICES,
    params(InvoiceParameters),
    responses((status = 200, description = "The invoice.", body = Invoice), NotFound)
)]
pub async fn get(
    State(Lists(pool)): State<Lists>,
    State(users): State<Lookup<i64, User>>,
    Query(InvoiceParameters { user_id, month, year }): Query<InvoiceParameters>,
) -> Result<Json<Invoice>, Problem> {
    let (start, end) =
        bounds(year, month).ok_or_else(|| Problem::internal(&"a validated month is invalid"))?;
    let rows = sqlx::query_file!("src/views/invoices.sql", user_id, start, end, MAX_ORDERS)
        .fetch_all(&pool)
        .await?;
    let month = start.format("%Y-%m");
    let first = rows.first().ok_or_else(|| not_found(user_id, &month.to_string()))?;
    let (total, order_count) = (first.invoice_total, first.order_count);
    let refunded_total = first.invoice_refunded;
    let orders = rows
        .into_iter()
        .map(|row| {
            let items: Vec<OrderLine> = serde_json::from_str(&row.first_items)
                .map_err(|error| Problem::internal(&error))?;
            Ok(InvoicedOrder {
                order_id: row.order_id,
                description: describe(&items, row.item_count),
                amount: row.total,
                refunded_amount: row.refunded_total,
                net_amount: row.net_amount,
                purchase_date: row.created_at,
            })
        })
        .collect::<Result<Vec<InvoicedOrder>, Problem>>()?;
    let user = users.get(user_id).await?;
    let (email, address) = user.map(|user| (user.email, user.address)).unzip();
    Ok(Json(Invoice {
        invoice_id: format!("INV-{month}-{user_id}"),
        user_id,
        email,
        shipping_address: address.flatten().map(|address| address.to_string()),
        invoice_date: end - TimeDelta::days(1),
        orders_not_listed: order_count - orders.len() as i64,
        orders,
        total,
        refunded_total,
    }))
}

/// Start of a month, in UTC, and of the next one.
fn bounds(year: i32, month: u32) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let day = NaiveDate::from_ymd_opt(year, month, 1)?;
    let next = day.checked_add_months(Months::new(1))?;
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
    Some((midnight(day), midnight(next)))
}

/// The first lines of an order: `2 × Assam tea, 1 × Mug`.
fn describe(first_items: &[OrderLine], item_count: i32) -> String {
    let mut parts: Vec<String> = first_items
        .iter()
        .map(|line| format!("{} × {}", line.quantity, line.product_name))
        .collect();
    let more = item_count - first_items.len() as i32;
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join(", ")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_events::Money;

    #[test]
    fn a_month_ends_at_the_start_of_the_next_one() {
        for (year, month, start, end) in [
            (2024, 2, "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (2025, 12, "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            (9999, 12, "9999-12-01T00:00:00Z", "+10000-01-01T00:00:00Z"),
        ] {
            let expected = Some((start.parse().unwrap(), end.parse().unwrap()));
            assert_eq!(bounds(year, month), expected, "{year}-{month}");
        }
    }

    #[test]
    fn a_description_has_the_first_lines() {
        let line = |product_id: i64| OrderLine {
            product_id,
            product_name: format!("Tea {product_id}"),
            category: "Food".to_owned(),
            quantity: 2,
            price: Money::ZERO,
            stock_taken: None,
            stock_returned: None,
            refunded_quantity: None,
            refunded_amount: None,
        };
        assert_eq!(describe(&[line(1), line(2)], 2), "2 × Tea 1, 2 × Tea 2");
        assert_eq!(describe(&[line(1), line(2)], 12), "2 × Tea 1, 2 × Tea 2, and 10 more");
    }
}
