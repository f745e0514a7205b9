//! Sample events for tests.

use shared_events::{
    AccountCreated, Event, Money, OrderCreated, OrderHeader, OrderLine, OrderRefunded, OrderStatus,
    OrderStatusUpdated, Payload, ProductState, RefundItem, UserState, order_total,
};
use trace_context::TraceParent;

const HOUR: i64 = 3600;

/// Events of products and users, each changed several times, and of orders, some of them
/// cancelled or refunded: every type of event.
pub fn history() -> Vec<Event> {
    use OrderStatus::{Cancelled, Created, Delivered, Paid, Refunded, Shipped};
    let mut events = Vec::new();
    for id in 1..=5 {
        events.push(product(id, 1, Some(100), 100));
        events.push(product(id, 4, None, -90));
        events.push(product(id, 7, Some(30), 30));
    }
    for id in 0..=3 {
        events.extend([user(id, 1), account(id, id, 2), user(id, 3), account(id + 10, id, 4)]);
    }
    for id in 1..=20 {
        let cents = format!("0.{:04}", id * 37);
        events.push(order(
            id,
            id % 3,
            vec![
                line(1 + id % 5, "Tea", 2, "1.99"),
                line(1 + id % 5, "tea", 1, &cents),
                line(1 + id % 4, "Books", 3, "12.5"),
            ],
        ));
        let placed = events[events.len() - 1].clone();
        let moves: &[OrderStatus] = match id % 4 {
            0 => &[Cancelled],
            1 => &[Paid, Shipped, Delivered, Refunded],
            2 => &[Shipped],
            _ => &[],
        };
        let (mut before, mut version) = (Created, 1);
        for after in moves {
            version += 1;
            let mut update = status_update(&placed, version, before, *after);
            if let (Refunded, Payload::OrderStatusUpdated(update)) = (*after, &mut update.payload) {
                // What the refund below took before.
                update.items[0].refunded_quantity = Some(1);
                update.items[0].refunded_amount = Money::parse("1.99").ok();
                update.refund_id = Some(100 + id);
            }
            events.push(update);
            before = *after;
            if before == Delivered {
                version += 1;
                events.push(refund(&placed, version, id));
            }
        }
    }
    events
}

/// An order line.
pub fn line(product_id: i64, category: &str, quantity: i32, price: &str) -> OrderLine {
    OrderLine {
        product_id,
        product_name: format!("Product {product_id}"),
        category: category.to_owned(),
        quantity,
        price: Money::parse(price).unwrap(),
        stock_taken: Some(quantity),
        stock_returned: None,
        refunded_quantity: None,
        refunded_amount: None,
    }
}

/// An order, placed one hour after the order with the previous id.
pub fn order(order_id: i64, customer_id: i64, items: Vec<OrderLine>) -> Event {
    let total = order_total(&items).unwrap();
    let status = OrderStatus::Created;
    event(
        1,
        order_id * HOUR,
        Payload::OrderCreated(OrderCreated {
            order_id,
            header: OrderHeader::of_customer(customer_id),
            status,
            items,
            total,
        }),
    )
}

/// A status change of an order, a day after it was placed.
pub fn status_update(
    order: &Event,
    version: i64,
    before: OrderStatus,
    after: OrderStatus,
) -> Event {
    let Payload::OrderCreated(placed) = &order.payload else { panic!("not an OrderCreated event") };
    let payload = Payload::OrderStatusUpdated(OrderStatusUpdated {
        order_id: placed.order_id,
        header: placed.header.clone(),
        old_status: before,
        new_status: after,
        ordered_at: order.envelope.timestamp,
        items: placed.items.clone(),
        total: placed.total,
        reason: None,
        refund_id: None,
    });
    event(version, (placed.order_id + 24) * HOUR, payload)
}

/// A refund of one unit of the first line of a delivered order.
pub fn refund(order: &Event, version: i64, refund_id: i64) -> Event {
    let Payload::OrderCreated(placed) = &order.payload else { panic!("not an OrderCreated event") };
    let line = &placed.items[0];
    let item = RefundItem {
        product_id: line.product_id,
        product_name: line.product_name.clone(),
        category: line.category.clone(),
        quantity: 1,
        amount: line.price,
        stock_returned: 1,
    };
    let payload = Payload::OrderRefunded(OrderRefunded {
        refund_id,
        order_id: placed.order_id,
        header: placed.header.clone(),
        ordered_at: order.envelope.timestamp,
        items: vec![item],
        amount: line.price,
        refunded_total: line.price,
        status: OrderStatus::Delivered,
        reason: Some("scratched".to_owned()),
    });
    event(version, (placed.order_id + 23) * HOUR, payload)
}

/// A created (version 1) or updated user.
pub fn user(user_id: i64, version: i64) -> Event {
    let state = UserState {
        user_id,
        name: format!("User {user_id}.{version}"),
        email: format!("user-{user_id}-{version}@example.com"),
    };
    let payload =
        if version == 1 { Payload::UserCreated(state) } else { Payload::UserUpdated(state) };
    event(version, user_id * HOUR, payload)
}

/// An account. The version is that of the user.
pub fn account(account_id: i64, user_id: i64, version: i64) -> Event {
    let account = AccountCreated {
        account_id,
        user_id,
        address1: format!("{account_id} Main Street"),
        city: "Springfield".to_owned(),
        state: "IL".to_owned(),
        zip: "62701".to_owned(),
    };
    event(version, user_id * HOUR, Payload::AccountCreated(account))
}

/// A created (version 1) or updated product.
pub fn product(product_id: i64, version: i64, stock: Option<i32>, stock_delta: i64) -> Event {
    let state = ProductState {
        product_id,
        name: format!("Product {product_id}.{version}"),
        category: format!("Category {}", product_id % 2),
        price: Money::from_units(u128::from(version.unsigned_abs())),
        stock,
        stock_delta,
    };
    let payload =
        if version == 1 { Payload::ProductCreated(state) } else { Payload::ProductUpdated(state) };
    event(version, product_id * HOUR, payload)
}

/// An event at a time in seconds after a fixed start.
pub fn event(aggregate_version: i64, second: i64, payload: Payload) -> Event {
    let timestamp = chrono::DateTime::from_timestamp(1_750_000_000 + second, 0).unwrap();
    let trace = TraceParent::generate();
    Event::new(aggregate_version, timestamp, trace, payload)
}
