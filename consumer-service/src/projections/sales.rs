//! Sales views: sums over orders, grouped by the dimensions of a [`SalesView`].

use super::order_change::{Sale, SalesLine};
use super::sales_delta::{Delta, Key, KeyValue};
use super::sales_statement;
use shared_events::Event;
use shared_events::views::{Dimension, SalesView};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// Adds events to a sales view. `sales` are their effects.
pub async fn apply(
    connection: &mut PgConnection,
    view: &SalesView,
    events: &[Event],
    sales: &[Sale<'_>],
) -> sqlx::Result<()> {
    let deltas = deltas(view, events, sales);
    if deltas.is_empty() {
        return Ok(());
    }
    sales_statement::add(connection, view, &deltas).await
}

/// What events add to each row. An order counts once per row, however many of its lines
/// belong to the row.
fn deltas<'a>(
    view: &SalesView,
    events: &'a [Event],
    sales: &[Sale<'a>],
) -> BTreeMap<Key<'a>, Delta> {
    let mut deltas: BTreeMap<Key<'_>, Delta> = BTreeMap::new();
    for key in events.iter().filter_map(|event| key_without_sales(view, event)) {
        deltas.entry(key).or_default();
    }
    for sale in sales {
        let lines_of_a_key = if view.is_by_line() { 1 } else { sale.lines.len().max(1) };
        let mut keys = BTreeSet::new();
        for lines in sale.lines.chunks(lines_of_a_key) {
            let key = key(view, sale, &lines[0]);
            let orders = i64::from(keys.insert(key.clone()));
            deltas.entry(key).or_default().add(sale, lines, orders);
        }
    }
    deltas
}

fn key<'a>(view: &SalesView, Sale { change, .. }: &Sale<'_>, line: &SalesLine<'a>) -> Key<'a> {
    let value = |dimension: &Dimension| match dimension {
        Dimension::Product => KeyValue::Id(line.product_id),
        Dimension::Category => KeyValue::Text(line.category),
        Dimension::Customer => KeyValue::Id(change.header.customer_id),
        Dimension::Hour => KeyValue::Time(change.hour()),
    };
    view.dimensions.iter().map(value).collect()
}

/// The row that exists once an event names its key, even without sales.
fn key_without_sales<'a>(view: &SalesView, event: &'a Event) -> Option<Key<'a>> {
    match view.dimensions {
        [Dimension::Category] => {
            event.payload.product().map(|product| vec![KeyValue::Text(&product.category)])
        }
        [Dimension::Customer] => event.payload.user().map(|user| vec![KeyValue::Id(user.user_id)]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::order_change::sales_of;
    use super::super::sales_delta::Figures;
    use super::*;
    use crate::projections::sample_events::{line, order, status_update};
    use shared_events::views::SALES_VIEWS;
    use shared_events::{OrderStatus, Payload};
    use std::slice::from_ref;

    fn sales_view(dimension: Dimension) -> &'static SalesView {
        SALES_VIEWS.iter().find(|view| view.dimensions == [dimension]).unwrap()
    }

    fn delta(dimension: Dimension, key: KeyValue<'_>, events: &[Event]) -> Delta {
        let sales = sales_of(events);
        deltas(sales_view(dimension), events, &sales).get(&vec![key]).copied().unwrap_or_default()
    }

    fn by_product(events: &[Event]) -> Delta {
        delta(Dimension::Product, KeyValue::Id(1), events)
    }

    fn by_customer(events: &[Event]) -> Delta {
        delta(Dimension::Customer, KeyValue::Id(7), events)
    }

    fn figures(quantity: i64, revenue: &str, orders: i64) -> Figures {
        Figures { quantity, revenue: revenue.parse().unwrap(), orders }
    }

    #[test]
    fn an_order_counts_once_per_row_however_many_lines_it_has() {
        let events = [order(
            1,
            7,
            vec![line(1, "Tea", 2, "1.5"), line(1, "Tea", 1, "2"), line(2, "Tea", 1, "9")],
        )];
        assert_eq!(by_product(&events).total, figures(3, "5", 1));
        let tea = delta(Dimension::Category, KeyValue::Text("Tea"), &events);
        assert_eq!(tea.total, figures(4, "14", 1));
        assert_eq!(by_customer(&events).total, figures(4, "14", 1));
    }

    #[test]
    fn orders_of_a_customer_add_up() {
        let events = [
            order(1, 7, vec![line(1, "Tea", 2, "1.5")]),
            order(2, 7, vec![line(1, "Tea", 1, "0.0001")]),
        ];
        let delta = by_customer(&events);
        assert_eq!(delta.total, figures(3, "3.0001", 2));
        assert_eq!(delta.last_order_date, Some(events[1].envelope.timestamp));
    }

    #[test]
    fn only_final_statuses_change_figures_and_only_once() {
        use OrderStatus::{Cancelled, Created, Paid, Refunded};
        let order = order(1, 7, vec![line(1, "Tea", 2, "1.5")]);
        for (before, after, cancelled, refunded) in
            [(Created, Paid, 0, 0), (Created, Cancelled, 1, 0), (Paid, Refunded, 0, 1)]
        {
            let delta = by_customer(&[status_update(&order, 2, before, after)]);
            assert_eq!((delta.cancelled.orders, delta.refunded.orders), (cancelled, refunded));
            assert_eq!(delta.total.orders, -cancelled - refunded);
            assert_eq!(delta.last_order_date, None);
        }
    }

    #[test]
    fn a_cancelled_order_belongs_to_the_hour_in_which_it_was_placed() {
        let order = order(1, 7, vec![line(1, "Tea", 2, "1.5")]);
        let cancelled = status_update(&order, 2, OrderStatus::Created, OrderStatus::Cancelled);
        assert_ne!(cancelled.envelope.timestamp, order.envelope.timestamp);
        let events = [order, cancelled];
        let hours = deltas(sales_view(Dimension::Hour), &events, &sales_of(&events)).len();
        assert_eq!(hours, 1);
    }

    #[test]
    fn a_cancellation_returns_the_stock_it_names_and_a_refund_returns_none() {
        let order = order(1, 1, vec![line(1, "Tea", 2, "1"), line(1, "Tea", 1, "1")]);
        assert_eq!(by_product(from_ref(&order)).stock_taken, 3);
        let mut cancelled = status_update(&order, 2, OrderStatus::Created, OrderStatus::Cancelled);
        assert_eq!(by_product(&[order.clone(), cancelled.clone()]).stock_taken, 0);
        if let Payload::OrderStatusUpdated(update) = &mut cancelled.payload {
            update.items[0].stock_returned = Some(0);
        }
        let both = by_product(&[cancelled.clone(), order.clone()]);
        assert_eq!(both.stock_taken, 2);
        assert_eq!(both.stock_moved_at, Some(cancelled.envelope.timestamp));
        let refunded = status_update(&order, 2, OrderStatus::Paid, OrderStatus::Refunded);
        assert_eq!(by_product(&[order, refunded.clone()]).stock_taken, 3);
        assert_eq!(by_product(&[refunded]).stock_moved_at, None);
    }
}
