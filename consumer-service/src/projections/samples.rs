//! Events for tests.

use shared_events::{
    Envelope, Event, Money, OrderCreated, OrderLine, OrderStatus, Payload, ProductState,
    TraceParent, order_total,
};

/// A line at a price.
pub fn line(product_id: i64, category: &str, quantity: i32, price: &str) -> OrderLine {
    OrderLine {
        product_id,
        product_name: format!("Product {product_id}"),
        category: category.to_owned(),
        quantity,
        price: Money::parse(price).unwrap(),
        stock_taken: Some(quantity),
    }
}

/// An order, placed half past an hour that its id gives.
pub fn order(order_id: i64, customer_id: i64, items: Vec<OrderLine>) -> Event {
    let total = order_total(&items).unwrap();
    let status = OrderStatus::Created;
    event(
        1,
        order_id,
        Payload::OrderCreated(OrderCreated { order_id, customer_id, status, items, total }),
    )
}

/// A product as created (version 1) or changed.
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
    event(version, product_id, payload)
}

fn event(aggregate_version: i64, hour: i64, payload: Payload) -> Event {
    let timestamp = chrono::DateTime::from_timestamp(1_750_000_000 + hour * 3600, 0).unwrap();
    let trace = TraceParent::generate();
    Event { envelope: Envelope::new(aggregate_version, timestamp, trace), payload }
}
