//! `hourly_product_sales_view`: product sales per hour.

use super::amount::Amount;
use crate::openapi;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::Serialize;
use service_runtime::format::{Message, integer, integer_schema, string_schema};
use service_runtime::openapi::{Id, Time};
use service_runtime::paging;
use service_runtime::parameters::{Parameters, Query};
use service_runtime::problem::Problem;
use service_runtime::{format_of, parameters};
use sqlx::PgPool;

/// Maximum span of a request.
const MAX_SPAN: TimeDelta = TimeDelta::days(31);

/// The default span: 24 windows, the last of which is the hour of the end.
const DEFAULT_SPAN: TimeDelta = TimeDelta::days(1);

/// Maximum number of windows in a response: enough for 31 days of 13 products.
const MAX_WINDOWS: i64 = 10_000;

/// The sales of a product in an hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Start of the hour, in UTC.
    #[schema(examples("2026-11-21T11:00:00Z"))]
    window_start: DateTime<Utc>,
    /// End of the hour.
    #[schema(examples("2026-11-21T12:00:00Z"))]
    window_end: DateTime<Utc>,
    /// The product.
    #[schema(value_type = Id)]
    product_id: i64,
    /// Revenue.
    total_sales: Amount,
    /// Units sold.
    #[schema(examples(2))]
    total_quantity: i64,
    /// Number of orders with the product.
    #[schema(examples(1))]
    total_orders: i64,
}

parameters! {
    /// The windows that a client requests.
    pub struct WindowParameters {
        /// Windows that start at this time or later. Default: 24 hours before `end`.
        start: Option<Time> = "2026-11-21T11:00:00Z",
        /// Windows that start before this time, at most 31 days after `start`. Default: now,
        /// or 31 days after `start` if that is earlier.
        end: Option<Time> = "2026-11-22",
        /// Only windows of this product.
        product_id: Option<Id>,
        /// Maximum number of windows.
        limit: WindowLimit,
        /// The `X-Next-Cursor` of the previous page.
        cursor: Option<Cursor>,
    }
    validate check_span(start, end);
}

format_of! {
    /// A number of windows.
    pub WindowLimit: i64, literal, parse = |text| integer(text, 1, MAX_WINDOWS),
        schema = integer_schema(1, MAX_WINDOWS, 1000).default(Some(MAX_WINDOWS.into())),
        default = MAX_WINDOWS;

    /// The end of a page.
    pub Cursor: Position, string, parse = Position::parse,
        schema = string_schema("1795258800.1")
            .pattern(Some(r"^(-[0-9]{1,10}|[0-9]{1,11})\.[0-9]{1,18}$"));
}

fn check_span(
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    parameters: &mut Parameters,
) {
    let (start, end) = span(start, end, Utc::now());
    if end < start {
        parameters.error("end", "must not be before start");
    } else if end - start > MAX_SPAN {
        parameters.error("end", "must be at most 31 days after start");
    }
}

/// Start and end, with defaults.
fn span(
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let end = end.unwrap_or_else(|| start.map_or(now, |start| now.clamp(start, start + MAX_SPAN)));
    (start.unwrap_or(end - DEFAULT_SPAN), end)
}

/// The end of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    hour: DateTime<Utc>,
    product_id: i64,
}

/// List sales by hour and product
///
/// The windows that start in [start, end), by start and product. Hours without sales are
/// omitted.
#[utoipa::path(
    get,
    path = "/api/analytics/hourly-sales",
    operation_id = "listHourlySales",
    tag = openapi::ANALYTICS,
    params(WindowParameters),
    responses((status = 200, description = "A page of windows.", body = Vec<Window>))
)]
pub async fn list(
    State(pool): State<PgPool>,
    Query(wanted): Query<WindowParameters>,
) -> Result<Response, Problem> {
    let (start, end) = span(wanted.start, wanted.end, Utc::now());
    let first = Position { hour: start - TimeDelta::hours(1), product_id: 0 };
    let after = wanted.cursor.unwrap_or(first);
    // Two statements with two plans: the windows of one product are found by product, all
    // others by hour.
    let windows = match wanted.product_id {
        Some(product_id) => {
            sqlx::query_as!(
                Window,
                r#"SELECT hour_timestamp AS "window_start!",
                      hour_timestamp + interval '1 hour' AS "window_end!",
                      product_id AS "product_id!", total_revenue AS "total_sales!: Amount",
                      total_quantity AS "total_quantity!", total_orders AS "total_orders!"
               FROM hourly_product_sales_view
               WHERE product_id = $1 AND hour_timestamp >= $2 AND hour_timestamp < $3
                   AND hour_timestamp > $4 AND total_orders > 0
               ORDER BY hour_timestamp
               LIMIT $5"#,
                product_id,
                start,
                end,
                after.hour,
                wanted.limit + 1,
            )
            .fetch_all(&pool)
            .await?
        }
        None => {
            sqlx::query_as!(
                Window,
                r#"SELECT hour_timestamp AS "window_start!",
                      hour_timestamp + interval '1 hour' AS "window_end!",
                      product_id AS "product_id!", total_revenue AS "total_sales!: Amount",
                      total_quantity AS "total_quantity!", total_orders AS "total_orders!"
               FROM hourly_product_sales_view
               WHERE hour_timestamp >= $1 AND hour_timestamp < $2
                   AND (hour_timestamp, product_id) > ($3, $4) AND total_orders > 0
               ORDER BY hour_timestamp, product_id
               LIMIT $5"#,
                start,
                end,
                after.hour,
                after.product_id,
                wanted.limit + 1,
            )
            .fetch_all(&pool)
            .await?
        }
    };
    Ok(paging::page(windows, wanted.limit, |window| {
        format!("{}.{}", window.window_start.timestamp(), window.product_id)
    }))
}

impl Position {
    fn parse(text: &str) -> Result<Self, Message> {
        let read = || {
            let (hour, product_id) = text.split_once('.')?;
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            // Hours before 1970 are negative.
            let digits = hour.strip_prefix('-').unwrap_or(hour);
            (is_number(digits) && is_number(product_id)).then_some(())?;
            let hour = DateTime::from_timestamp(hour.parse().ok()?, 0)?;
            // PostgreSQL may not accept other years.
            (1..=9999).contains(&hour.year()).then_some(())?;
            Some(Self { hour, product_id: product_id.parse().ok()? })
        };
        read().ok_or_else(|| "must be the X-Next-Cursor of a response".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cursors_of_responses_are_valid() {
        let hour = "2026-11-21T11:00:00Z".parse().unwrap();
        assert_eq!(Position::parse("1795258800.7"), Ok(Position { hour, product_id: 7 }));
        let hour = "1969-12-31T23:00:00Z".parse().unwrap();
        let last = i64::MAX;
        assert_eq!(
            Position::parse(&format!("-3600.{last}")),
            Ok(Position { hour, product_id: last })
        );
        for bad in
            ["", "7", ".7", "7.", "1795258800,7", "--1.7", "-.7", "+1.7", "1.-7", "999999999999.7"]
        {
            assert!(Position::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_default_is_the_last_24_hours() {
        let now: DateTime<Utc> = "2026-11-21T11:44:31Z".parse().unwrap();
        let read = |query: &str| {
            let parameters = Parameters::of(&format!("/?{query}").parse().unwrap()).unwrap();
            parameters.parse::<WindowParameters>().map(|wanted| {
                let (start, end) = span(wanted.start, wanted.end, now);
                [start, end].map(|time| time.format("%d %H:%M:%S").to_string())
            })
        };
        let span = |start: &str, end: &str| Some([start.to_owned(), end.to_owned()]);
        // From the window of 12:00 yesterday to that of 11:00 today.
        assert_eq!(read("").ok(), span("20 11:44:31", "21 11:44:31"));
        assert_eq!(read("end=2026-11-10").ok(), span("09 00:00:00", "10 00:00:00"));
        assert_eq!(read("start=2026-11-20").ok(), span("20 00:00:00", "21 11:44:31"));
        assert_eq!(read("start=2026-10-01").ok(), span("01 00:00:00", "01 00:00:00"));
        assert_eq!(read("start=2026-11-28").ok(), span("28 00:00:00", "28 00:00:00"));
        assert!(read("start=2026-11-10&end=2026-11-09").is_err());
        assert!(read("start=2026-10-01&end=2026-11-09").is_err());
        assert!(read("start=yesterday").is_err());
        let problem = read("start=2026-11-10&end=2026-11-09&productId=tea").unwrap_err();
        let problem = serde_json::to_value(problem).unwrap();
        assert_eq!(problem["errors"][0]["field"], "productId");
        assert_eq!(problem["errors"][1]["field"], "end");
    }
}
