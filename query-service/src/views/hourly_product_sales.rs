//! `hourly_product_sales_view`: what products sold in each hour.

use super::money;
use crate::openapi;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::Serialize;
use service_runtime::json_body::integer;
use service_runtime::openapi::{Id, Time};
use service_runtime::paging;
use service_runtime::parameters::{Parameters, time};
use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;
use std::borrow::Cow;

/// The longest span of one request.
const MAX_SPAN: TimeDelta = TimeDelta::days(31);

/// The span if no start is given: 24 windows, the last of which is the hour of the end.
const DEFAULT_SPAN: TimeDelta = TimeDelta::days(1);

/// Most windows of one answer: enough for 31 days of 13 products.
const MAX_WINDOWS: i64 = 10_000;

/// What a product sold in an hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The full hour, in UTC.
    #[schema(examples("2026-11-21T11:00:00Z"))]
    window_start: DateTime<Utc>,
    /// An hour later.
    #[schema(examples("2026-11-21T12:00:00Z"))]
    window_end: DateTime<Utc>,
    /// The product.
    #[schema(value_type = Id)]
    product_id: i64,
    /// Revenue.
    total_sales: Money,
    /// Pieces.
    #[schema(examples(2))]
    total_quantity: i64,
    /// Orders that name the product, each once.
    #[schema(examples(1))]
    total_orders: i64,
}

/// The parameters that say which windows are wanted, as documents have them.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "they are what is Wanted when they are read")]
pub struct WindowParameters {
    /// Windows that start then or later; by default 24 hours before `end`.
    #[param(value_type = Time, inline, required = false, example = "2026-11-21T11:00:00Z")]
    start: DateTime<Utc>,
    /// Windows that start before that: at most 31 days after `start`, and not before it. By
    /// default now, or 31 days after `start` if that is earlier.
    #[param(value_type = Time, inline, required = false, example = "2026-11-22")]
    end: DateTime<Utc>,
    /// Of this product alone.
    #[param(value_type = Id, required = false, example = 1)]
    product_id: i64,
    /// Most windows.
    #[param(required = false, minimum = 1, maximum = 10000, default = 10000, example = 1000)]
    limit: i64,
    /// The `X-Next-Cursor` of the page before.
    #[param(
        required = false,
        pattern = "^(-[0-9]{1,10}|[0-9]{1,11})\\.[0-9]{1,18}$",
        example = "1795258800.1"
    )]
    cursor: String,
}

/// Which windows are wanted.
#[derive(Debug)]
struct Wanted {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    product_id: Option<i64>,
    limit: i64,
    /// Where the page before ended.
    after: Position,
}

struct Row {
    hour_timestamp: DateTime<Utc>,
    product_id: i64,
    total_revenue: Decimal,
    total_quantity: i64,
    total_orders: i64,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    hour: DateTime<Utc>,
    product_id: i64,
}

/// Sales by hour and product
///
/// The windows that start in [start, end), by start and product; hours in
/// which a product sold nothing, or nothing that stood, are left out.
#[utoipa::path(
    get,
    path = "/api/analytics/hourly-sales",
    operation_id = "listHourlySales",
    tag = openapi::ANALYTICS,
    params(WindowParameters),
    responses((status = 200, description = "A page of windows.", body = Vec<Window>))
)]
pub async fn list(State(pool): State<PgPool>, parameters: Parameters) -> Result<Response, Problem> {
    let wanted = Wanted::read(parameters, Utc::now())?;
    // Two statements, for two plans: the windows of one product are found by
    // product, all others by hour.
    let rows = match wanted.product_id {
        Some(product_id) => {
            sqlx::query_as!(
                Row,
                r#"SELECT hour_timestamp AS "hour_timestamp!", product_id AS "product_id!",
                      total_revenue AS "total_revenue!", total_quantity AS "total_quantity!",
                      total_orders AS "total_orders!"
               FROM hourly_product_sales_view
               WHERE product_id = $1 AND hour_timestamp >= $2 AND hour_timestamp < $3
                   AND hour_timestamp > $4 AND total_orders > 0
               ORDER BY hour_timestamp
               LIMIT $5"#,
                product_id,
                wanted.start,
                wanted.end,
                wanted.after.hour,
                wanted.limit + 1,
            )
            .fetch_all(&pool)
            .await?
        }
        None => {
            sqlx::query_as!(
                Row,
                r#"SELECT hour_timestamp AS "hour_timestamp!", product_id AS "product_id!",
                      total_revenue AS "total_revenue!", total_quantity AS "total_quantity!",
                      total_orders AS "total_orders!"
               FROM hourly_product_sales_view
               WHERE hour_timestamp >= $1 AND hour_timestamp < $2
                   AND (hour_timestamp, product_id) > ($3, $4) AND total_orders > 0
               ORDER BY hour_timestamp, product_id
               LIMIT $5"#,
                wanted.start,
                wanted.end,
                wanted.after.hour,
                wanted.after.product_id,
                wanted.limit + 1,
            )
            .fetch_all(&pool)
            .await?
        }
    };
    let windows = rows
        .into_iter()
        .map(|row| {
            Ok(Window {
                window_start: row.hour_timestamp,
                window_end: row.hour_timestamp + TimeDelta::hours(1),
                product_id: row.product_id,
                total_sales: money(row.total_revenue)?,
                total_quantity: row.total_quantity,
                total_orders: row.total_orders,
            })
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Ok(paging::page(windows, wanted.limit, |window| {
        format!("{}.{}", window.window_start.timestamp(), window.product_id)
    }))
}

impl Wanted {
    fn read(mut parameters: Parameters, now: DateTime<Utc>) -> Result<Self, Problem> {
        let start = parameters.optional("start", time);
        let end = parameters.optional("end", time);
        let product_id = parameters.optional("productId", |text| integer(text, 1, i64::MAX));
        let limit = parameters.optional("limit", |text| integer(text, 1, MAX_WINDOWS));
        let after = parameters.optional("cursor", Position::read);
        let end =
            end.unwrap_or_else(|| start.map_or(now, |start| now.clamp(start, start + MAX_SPAN)));
        let start = start.unwrap_or(end - DEFAULT_SPAN);
        if end < start {
            parameters.refuse("end", "must not be before start");
        } else if end - start > MAX_SPAN {
            parameters.refuse("end", "must be at most 31 days after start");
        }
        parameters.check()?;
        let before_all = Position { hour: start - TimeDelta::hours(1), product_id: 0 };
        let limit = limit.unwrap_or(MAX_WINDOWS);
        Ok(Self { start, end, product_id, limit, after: after.unwrap_or(before_all) })
    }
}

impl Position {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let read = || {
            let (hour, product_id) = text.split_once('.')?;
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            // Hours before 1970 are negative.
            let digits = hour.strip_prefix('-').unwrap_or(hour);
            (is_number(digits) && is_number(product_id)).then_some(())?;
            let hour = DateTime::from_timestamp(hour.parse().ok()?, 0)?;
            // Any other year is none of ours, and may be none of PostgreSQL's.
            (1..=9999).contains(&hour.year()).then_some(())?;
            Some(Self { hour, product_id: product_id.parse().ok()? })
        };
        read().ok_or_else(|| "must be the X-Next-Cursor of an answer".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_page_told_is_a_cursor() {
        let hour = "2026-11-21T11:00:00Z".parse().unwrap();
        assert_eq!(Position::read("1795258800.7"), Ok(Position { hour, product_id: 7 }));
        let hour = "1969-12-31T23:00:00Z".parse().unwrap();
        let last = i64::MAX;
        assert_eq!(
            Position::read(&format!("-3600.{last}")),
            Ok(Position { hour, product_id: last })
        );
        for bad in
            ["", "7", ".7", "7.", "1795258800,7", "--1.7", "-.7", "+1.7", "1.-7", "999999999999.7"]
        {
            assert!(Position::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_24_hours_are_the_default() {
        let now: DateTime<Utc> = "2026-11-21T11:44:31Z".parse().unwrap();
        let read = |query: &str| {
            let parameters = Parameters::of(&format!("/?{query}").parse().unwrap()).unwrap();
            Wanted::read(parameters, now).map(|wanted| {
                let text = |time: DateTime<Utc>| time.format("%d %H:%M:%S").to_string();
                (text(wanted.start), text(wanted.end))
            })
        };
        let span = |start: &str, end: &str| Some((start.to_owned(), end.to_owned()));
        // From the window of 12:00 yesterday to that of 11:00 today.
        assert_eq!(read("").ok(), span("20 11:44:31", "21 11:44:31"));
        assert_eq!(read("end=2026-11-10").ok(), span("09 00:00:00", "10 00:00:00"));
        assert_eq!(read("start=2026-11-20").ok(), span("20 00:00:00", "21 11:44:31"));
        assert_eq!(read("start=2026-10-01").ok(), span("01 00:00:00", "01 00:00:00"));
        assert_eq!(read("start=2026-11-28").ok(), span("28 00:00:00", "28 00:00:00"));
        assert!(read("start=2026-11-10&end=2026-11-09").is_err());
        assert!(read("start=2026-10-01&end=2026-11-09").is_err());
        assert!(read("start=yesterday").is_err());
    }
}
