//! The views of the read database: names, keys, and the columns of sales views.
//!
//! The consumer service maintains them, the query service reads them, and `cargo stack
//! verify` recomputes them. This is the only list of them.

use crate::Topic;
use Dimension::{Category, Customer, Hour, Product};
use Figure::{Orders, Quantity, Revenue};
use Measure::{Cancelled, LastOrderDate, Refunded, StockMovedAt, StockTaken, Total};

/// A view of the read database.
#[derive(Debug)]
pub struct View {
    /// The table or SQL view that is read.
    pub name: &'static str,
    /// The table that the consumer service writes; the same, unless `name` is a SQL view.
    pub table: &'static str,
    /// The columns that identify a row.
    pub key: &'static [&'static str],
    /// The topics whose events change it.
    pub topics: &'static [Topic],
}

/// A view of sums over orders. The statements that maintain and verify it are generated from
/// this.
#[derive(Debug)]
pub struct SalesView {
    /// Name and key.
    pub view: View,
    /// The value of each key column.
    pub dimensions: &'static [Dimension],
    /// The other columns.
    pub measures: &'static [(Measure, &'static str)],
}

/// What sales are grouped by. An order counts once per group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Product of an order line.
    Product,
    /// Category of an order line, as ordered. A category also has a row of zeros once a
    /// product event names it.
    Category,
    /// Customer of an order. A user also has a row of zeros before any order.
    Customer,
    /// Hour in which an order was placed, in UTC, also for its cancellation or refund.
    Hour,
}

/// What is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Units.
    Quantity,
    /// Quantity × price.
    Revenue,
    /// Number of orders.
    Orders,
}

/// The meaning of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Of orders placed, less those cancelled, less those refunded.
    Total(Figure),
    /// Of cancelled orders.
    Cancelled(Figure),
    /// Of refunded orders.
    Refunded(Figure),
    /// Units that orders took from the stock, less those that cancellations returned.
    StockTaken,
    /// Time of the last event that took stock or returned it.
    StockMovedAt,
    /// Time of the last order placed, cancelled or not.
    LastOrderDate,
}

/// The views that hold the current state of an aggregate.
pub static STATE_VIEWS: [View; 4] = [
    View::table("orders_read", &["order_id"], &[Topic::Orders]),
    View::table("refunds_read", &["refund_id"], &[Topic::Orders]),
    View::table("users_read", &["user_id"], &[Topic::Users]),
    // A SQL view that subtracts the stock that `product_sales_view` counts as taken.
    View {
        name: "products_read_view",
        table: "products_read",
        key: &["product_id"],
        topics: &[Topic::Products, Topic::Orders],
    },
];

/// The views of sums over orders.
pub static SALES_VIEWS: [SalesView; 5] = [
    SalesView {
        view: View::table("product_sales_view", &["product_id"], &[Topic::Orders]),
        dimensions: &[Product],
        measures: &[
            (Total(Quantity), "total_quantity_sold"),
            (Total(Revenue), "total_revenue"),
            (Total(Orders), "order_count"),
            (Cancelled(Quantity), "cancelled_quantity"),
            (Cancelled(Revenue), "cancelled_revenue"),
            (Cancelled(Orders), "cancelled_orders"),
            (Refunded(Quantity), "refunded_quantity"),
            (Refunded(Revenue), "refunded_revenue"),
            (Refunded(Orders), "refunded_orders"),
            (StockTaken, "stock_taken"),
            (StockMovedAt, "stock_moved_at"),
        ],
    },
    SalesView {
        view: View::table(
            "category_metrics_view",
            &["category_name"],
            &[Topic::Orders, Topic::Products],
        ),
        dimensions: &[Category],
        measures: REVENUE_AND_ORDERS,
    },
    SalesView {
        view: View::table("customer_ltv_view", &["customer_id"], &[Topic::Orders, Topic::Users]),
        dimensions: &[Customer],
        measures: &[
            (Total(Revenue), "total_spent"),
            (Total(Orders), "order_count"),
            (Cancelled(Revenue), "cancelled_spent"),
            (Cancelled(Orders), "cancelled_orders"),
            (Refunded(Revenue), "refunded_spent"),
            (Refunded(Orders), "refunded_orders"),
            (LastOrderDate, "last_order_date"),
        ],
    },
    SalesView {
        view: View::table("hourly_sales_view", &["hour_timestamp"], &[Topic::Orders]),
        dimensions: &[Hour],
        measures: REVENUE_AND_ORDERS,
    },
    SalesView {
        view: View::table(
            "hourly_product_sales_view",
            &["hour_timestamp", "product_id"],
            &[Topic::Orders],
        ),
        dimensions: &[Hour, Product],
        measures: &[
            (Total(Quantity), "total_quantity"),
            (Total(Revenue), "total_revenue"),
            (Total(Orders), "total_orders"),
            (Cancelled(Quantity), "cancelled_quantity"),
            (Cancelled(Revenue), "cancelled_revenue"),
            (Cancelled(Orders), "cancelled_orders"),
            (Refunded(Quantity), "refunded_quantity"),
            (Refunded(Revenue), "refunded_revenue"),
            (Refunded(Orders), "refunded_orders"),
        ],
    },
];

const REVENUE_AND_ORDERS: &[(Measure, &str)] = &[
    (Total(Revenue), "total_revenue"),
    (Total(Orders), "total_orders"),
    (Cancelled(Revenue), "cancelled_revenue"),
    (Cancelled(Orders), "cancelled_orders"),
    (Refunded(Revenue), "refunded_revenue"),
    (Refunded(Orders), "refunded_orders"),
];

/// Every view.
pub fn views() -> impl Iterator<Item = &'static View> {
    STATE_VIEWS.iter().chain(SALES_VIEWS.iter().map(|sales| &sales.view))
}

impl View {
    const fn table(
        name: &'static str,
        key: &'static [&'static str],
        topics: &'static [Topic],
    ) -> Self {
        Self { name, table: name, key, topics }
    }
}

impl SalesView {
    /// Whether rows depend on single order lines, not only on the order.
    pub fn is_by_line(&self) -> bool {
        self.dimensions.iter().any(|dimension| matches!(dimension, Product | Category))
    }

    /// The columns, key first.
    pub fn columns(&self) -> Vec<&'static str> {
        self.view.key.iter().copied().chain(self.measures.iter().map(|(_, name)| *name)).collect()
    }
}
