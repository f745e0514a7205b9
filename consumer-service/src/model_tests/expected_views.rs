//! Compares the views with the state of the model.

use super::shop::{Order, Shop, User};
use crate::test_database::rows;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use shared_events::views::{Dimension, Figure, Measure, SALES_VIEWS, SalesView};
use shared_events::{Money, OrderLine, OrderStatus, RefundItem};
use sqlx::PgPool;
use sqlx::types::Json;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Rows as text: the values of the key, with those of the measures.
type Rows = BTreeMap<Vec<String>, Vec<String>>;

/// A line of an order, and what was refunded of it.
type Line<'a> = (&'a Order, &'a OrderLine, &'a RefundItem);

/// The lines of an order.
type Lines = Json<Vec<OrderLine>>;

/// Id, name, e-mail address, street and time of creation.
type UserRow = (i64, String, String, Option<String>, DateTime<Utc>);

/// Compares every view with the model.
pub async fn check(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    for view in &SALES_VIEWS {
        compare(view.view.name, &shown_sales(pool, view).await, &expected_sales(shop, view))?;
    }
    check_state(pool, shop).await
}

fn compare<T: PartialEq + Debug>(view: &str, shown: &T, expected: &T) -> Result<(), String> {
    if shown == expected {
        Ok(())
    } else {
        Err(format!("{view} shows\n{shown:?}\ninstead of\n{expected:?}"))
    }
}

/// The model does not record when stock moved.
fn measures(view: &SalesView) -> impl Iterator<Item = &(Measure, &'static str)> {
    view.measures.iter().filter(|(measure, _)| *measure != Measure::StockMovedAt)
}

async fn shown_sales(pool: &PgPool, view: &SalesView) -> Rows {
    let seconds = |column: &str| format!("extract(epoch FROM {column})::bigint::text");
    let key =
        view.dimensions.iter().zip(view.view.key).map(|(dimension, column)| match dimension {
            Dimension::Hour => seconds(column),
            _ => format!("{column}::text"),
        });
    let values = measures(view).map(|(measure, column)| match measure {
        Measure::LastOrderDate => format!("coalesce({}, '')", seconds(column)),
        _ => format!("trim_scale({column}::numeric)::text"),
    });
    let [key, values] = [key.collect::<Vec<_>>(), values.collect()].map(|list| list.join(", "));
    let sql = format!("SELECT ARRAY[{key}], ARRAY[{values}] FROM {}", view.view.name);
    rows(pool, &sql).await.into_iter().collect()
}

fn expected_sales(shop: &Shop, view: &SalesView) -> Rows {
    let mut lines: BTreeMap<Vec<String>, Vec<Line<'_>>> = BTreeMap::new();
    for order in &shop.orders {
        for (line, refunded) in order.lines.iter().zip(&order.refunded) {
            lines.entry(key(view, order, line)).or_default().push((order, line, refunded));
        }
    }
    match view.dimensions {
        [Dimension::Category] => shop.categories.iter().for_each(|category| {
            lines.entry(vec![category.clone()]).or_default();
        }),
        [Dimension::Customer] => shop.users.iter().for_each(|user| {
            lines.entry(vec![user.state.user_id.to_string()]).or_default();
        }),
        _ => {}
    }
    let values =
        |lines: &[Line<'_>]| measures(view).map(|(measure, _)| value(*measure, lines)).collect();
    lines.into_iter().map(|(key, lines)| (key, values(&lines))).collect()
}

fn key(view: &SalesView, order: &Order, line: &OrderLine) -> Vec<String> {
    let value = |dimension: &Dimension| match dimension {
        Dimension::Product => line.product_id.to_string(),
        Dimension::Category => line.category.clone(),
        Dimension::Customer => order.customer.to_string(),
        Dimension::Hour => (order.ordered_at.timestamp() / 3600 * 3600).to_string(),
    };
    view.dimensions.iter().map(value).collect()
}

/// The sum of a figure of lines: of what was ordered, less what was refunded if `net`.
fn ordered(figure: Figure, lines: &[Line<'_>], net: bool, counts: &[OrderStatus]) -> String {
    let lines = lines.iter().filter(|(order, ..)| counts.contains(&order.status));
    match figure {
        Figure::Quantity => {
            let units = |(_, line, refunded): &Line<'_>| {
                line.quantity - if net { refunded.quantity } else { 0 }
            };
            lines.map(units).sum::<i32>().to_string()
        }
        Figure::Revenue => {
            let amount = |(_, line, refunded): &Line<'_>| {
                let refunded = if net { refunded.amount } else { Money::ZERO };
                line.amount().unwrap().as_decimal() - refunded.as_decimal()
            };
            lines.map(amount).sum::<Decimal>().normalize().to_string()
        }
        Figure::Orders => {
            let mut ids: Vec<i64> = lines.map(|(order, ..)| order.id).collect();
            ids.dedup();
            ids.len().to_string()
        }
    }
}

fn value(measure: Measure, lines: &[Line<'_>]) -> String {
    use OrderStatus::{Cancelled, Created, Delivered, Paid, Refunded, Shipped};
    match measure {
        Measure::Total(figure) => {
            ordered(figure, lines, true, &[Created, Paid, Shipped, Delivered])
        }
        Measure::Cancelled(figure) => ordered(figure, lines, false, &[Cancelled]),
        Measure::Refunded(Figure::Orders) => ordered(Figure::Orders, lines, false, &[Refunded]),
        Measure::Refunded(Figure::Quantity) => {
            lines.iter().map(|(.., refunded)| refunded.quantity).sum::<i32>().to_string()
        }
        Measure::Refunded(Figure::Revenue) => {
            let amounts = lines.iter().map(|(.., refunded)| refunded.amount.as_decimal());
            amounts.sum::<Decimal>().normalize().to_string()
        }
        Measure::StockTaken => {
            let taken = lines.iter().map(|(order, line, refunded)| match order.status {
                Cancelled => line.stock_taken() - line.stock_returned(),
                _ => line.stock_taken() - refunded.stock_returned,
            });
            taken.sum::<i32>().to_string()
        }
        Measure::LastOrderDate => {
            let last = lines.iter().map(|(order, ..)| order.ordered_at.timestamp()).max();
            last.map(|second| second.to_string()).unwrap_or_default()
        }
        Measure::StockMovedAt => String::new(),
    }
}

async fn check_state(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    let products =
        "SELECT product_id, name, category, price, stock FROM products_read_view ORDER BY 1";
    let shown: Vec<(i64, String, String, Decimal, Option<i64>)> = rows(pool, products).await;
    let expected = shop.products.iter().map(|product| {
        let stock = product.stock.map(i64::from);
        let (name, category) = (product.name.clone(), product.category.clone());
        (product.product_id, name, category, product.price.as_decimal(), stock)
    });
    compare("products_read_view", &shown, &expected.collect())?;

    let orders = "SELECT order_id, customer_id, total, status, created_at, items
                  FROM orders_read ORDER BY 1";
    let shown: Vec<(i64, i64, Decimal, String, DateTime<Utc>, Lines)> = rows(pool, orders).await;
    let expected = shop.orders.iter().map(|order| {
        let (status, lines) = (order.status.to_string(), Json(order.lines.clone()));
        (order.id, order.customer, order.total.as_decimal(), status, order.ordered_at, lines)
    });
    compare("orders_read", &shown, &expected.collect())?;

    let refunds = "SELECT order_id, refunded_total, reason FROM orders_read ORDER BY 1";
    let shown: Vec<(i64, Decimal, Option<String>)> = rows(pool, refunds).await;
    let expected = shop
        .orders
        .iter()
        .map(|order| (order.id, order.refunded_total().as_decimal(), order.reason.clone()));
    compare("orders_read", &shown, &expected.collect())?;

    let refunds = "SELECT order_id, items, refunded_total FROM refunds_read ORDER BY refund_id";
    let shown: Vec<(i64, Json<Vec<RefundItem>>, Decimal)> = rows(pool, refunds).await;
    let expected = shop.refunds.iter().map(|(order, items, refunded_total)| {
        (*order, Json(items.clone()), refunded_total.as_decimal())
    });
    compare("refunds_read", &shown, &expected.collect())?;

    let users = "SELECT user_id, name, email, address1, created_at FROM users_read ORDER BY 1";
    let shown: Vec<UserRow> = rows(pool, users).await;
    let expected = shop.users.iter().map(|User { state, account, created_at }| {
        let address = account.as_ref().map(|account| account.address1.clone());
        (state.user_id, state.name.clone(), state.email.clone(), address, *created_at)
    });
    compare("users_read", &shown, &expected.collect())
}
