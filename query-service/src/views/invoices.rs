//! Invoices: what a customer bought in a month, made from the orders as they
//! are now and the user as they are now.

use super::{ByKey, money, users};
use crate::database::Lists;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use service_runtime::json_body::integer;
use service_runtime::openapi::Id;
use service_runtime::parameters::Parameters;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::{Money, OrderLine};
use utoipa::ToSchema;

/// Most orders that an invoice lists. More than that are still in its total.
const MAX_ORDERS: i64 = 10_000;

/// A customer's invoice of a month, in UTC.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invoice {
    /// The same for this customer and month every time.
    #[schema(examples("INV-2026-11-1"))]
    invoice_id: String,
    /// The customer.
    #[schema(value_type = Id)]
    user_id: i64,
    /// Null for a customer who is no user.
    #[schema(required = true, examples("ada@example.com"))]
    email: Option<String>,
    /// Null before the user has an account.
    #[schema(required = true, examples("1 Main Street, Springfield, IL 62701"))]
    shipping_address: Option<String>,
    /// The last day of the month.
    #[schema(examples("2026-11-30T00:00:00Z"))]
    invoice_date: DateTime<Utc>,
    /// By ascending id, at most 10,000.
    orders: Vec<InvoicedOrder>,
    /// Of all orders, listed or not.
    total: Money,
    /// Orders that were too many to be listed.
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
    /// Quantity and name of each line; of more than 10, the first 10 and how many more.
    #[schema(examples("3 × Assam tea"))]
    description: String,
    /// The order's total.
    amount: Money,
    /// When it was placed.
    #[schema(examples("2026-11-21T11:44:33.430518Z"))]
    purchase_date: DateTime<Utc>,
}

/// The parameters that say which invoice is wanted, as documents have them.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "they are a Month and an id when they are read")]
pub struct InvoiceParameters {
    /// The customer, who need not be a user. Also by the name `user_id`.
    #[param(value_type = Id, example = 1)]
    user_id: i64,
    /// The month, in UTC.
    #[param(minimum = 1, maximum = 12, example = 11)]
    month: i64,
    /// Its year.
    #[param(minimum = 1970, maximum = 9999, example = 2026)]
    year: i64,
}

refusals! {
    /// Why there is no invoice.
    NotFound: Problem::not_found("Invoice not found").detail(
        "The customer has no order of that month that is neither cancelled nor refunded.",
    )
}

/// A calendar month, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Month {
    start: DateTime<Utc>,
    /// Start of the next one.
    end: DateTime<Utc>,
}

/// What a customer ordered in a month
///
/// An invoice is made anew at every request: orders that were cancelled or refunded
/// fall off it.
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
    State(by_key): State<ByKey>,
    mut parameters: Parameters,
) -> Result<Json<Invoice>, Problem> {
    parameters.also("userId", "user_id");
    let user_id = parameters.required("userId", |text| integer(text, 1, i64::MAX));
    let month = parameters.required("month", |text| integer(text, 1, 12));
    let year = parameters.required("year", |text| integer(text, 1970, 9999));
    parameters.check()?;
    // Checked: all are there.
    let user_id = user_id.unwrap_or_default();
    let month = Month::of(year.unwrap_or_default(), month.unwrap_or_default())?;

    let rows =
        sqlx::query_file!("src/views/invoices.sql", user_id, month.start, month.end, MAX_ORDERS)
            .fetch_all(&pool)
            .await?;
    let Some(first) = rows.first() else {
        return Err(Problem::not_found("Invoice not found").detail(format!(
            "Customer {user_id} has no order of {} that is neither cancelled nor refunded.",
            month.start.format("%Y-%m"),
        )));
    };
    let (total, order_count) = (money(first.invoice_total)?, first.order_count);
    let orders = rows
        .into_iter()
        .map(|row| {
            let items: Vec<OrderLine> = serde_json::from_str(&row.first_items)
                .map_err(|error| Problem::internal(&error))?;
            Ok(InvoicedOrder {
                order_id: row.order_id,
                description: describe(&items, row.item_count),
                amount: money(row.total)?,
                purchase_date: row.created_at,
            })
        })
        .collect::<Result<Vec<InvoicedOrder>, Problem>>()?;
    let (email, address) = by_key.users.get(user_id).await?.map(users::Row::into_contact).unzip();
    Ok(Json(Invoice {
        invoice_id: format!("INV-{}-{user_id}", month.start.format("%Y-%m")),
        user_id,
        email,
        shipping_address: address.flatten().map(|address| address.to_string()),
        invoice_date: month.end - TimeDelta::days(1),
        orders_not_listed: order_count - orders.len() as i64,
        orders,
        total,
    }))
}

impl Month {
    fn of(year: i64, month: i64) -> Result<Self, Problem> {
        let first = || {
            let day = NaiveDate::from_ymd_opt(year.try_into().ok()?, month.try_into().ok()?, 1)?;
            let next = day.checked_add_months(Months::new(1))?;
            let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
            Some(Self { start: midnight(day), end: midnight(next) })
        };
        first().ok_or_else(|| Problem::internal(&"a month that was checked is none"))
    }
}

/// `2 × Assam tea, 1 × Mug`; of orders with more lines only the first ones.
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_ends_where_the_next_one_starts() {
        let month = Month::of(2024, 2).unwrap();
        assert_eq!(month.start, time("2024-02-01T00:00:00Z"));
        assert_eq!(month.end, time("2024-03-01T00:00:00Z"));
        assert_eq!(Month::of(2025, 12).unwrap().end, time("2026-01-01T00:00:00Z"));
        assert_eq!(Month::of(9999, 12).unwrap().end, time("+10000-01-01T00:00:00Z"));
    }

    #[test]
    fn a_description_names_the_first_lines() {
        let line = |product_id: i64| OrderLine {
            product_id,
            product_name: format!("Tea {product_id}"),
            category: "Food".to_owned(),
            quantity: 2,
            price: Money::ZERO,
            stock_taken: None,
            stock_returned: None,
        };
        assert_eq!(describe(&[line(1), line(2)], 2), "2 × Tea 1, 2 × Tea 2");
        assert_eq!(describe(&[line(1), line(2)], 12), "2 × Tea 1, 2 × Tea 2, and 10 more");
    }
}
