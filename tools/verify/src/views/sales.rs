//! The expected rows of a sales view, generated from its [`SalesView`].

use shared_events::views::{Dimension, Figure, Measure, SalesView};

/// The statement that computes the rows of a view from the common table expressions of
/// `applied_state.sql`.
pub fn expected(view: &SalesView) -> String {
    let key = view.view.key.join(", ");
    let columns: Vec<String> = view
        .measures
        .iter()
        .filter_map(|(measure, name)| Some(format!("{} AS {name}", value(*measure)?)))
        .collect();
    let without_sales = match view.dimensions {
        [Dimension::Category] => "FULL JOIN applied_categories USING (category_name)",
        [Dimension::Customer] => "FULL JOIN applied_users USING (customer_id)",
        _ => "",
    };
    format!(
        "SELECT {key}, {columns}\nFROM ({orders}) AS sale\n{without_sales}\nGROUP BY {key}",
        columns = columns.join(", "),
        orders = orders(view),
    )
}

/// A row for each order and key, because an order counts once per key.
fn orders(view: &SalesView) -> String {
    let values: Vec<&str> = view
        .dimensions
        .iter()
        .map(|dimension| match dimension {
            Dimension::Product => "product_id",
            Dimension::Category => "category",
            Dimension::Customer => "customer_id",
            Dimension::Hour => "hour",
        })
        .collect();
    let key: Vec<String> = values
        .iter()
        .zip(view.view.key)
        .map(|(value, column)| format!("{value} AS {column}"))
        .collect();
    let (key, values) = (key.join(", "), values.join(", "));
    let is_of_lines = |(measure, _): &(Measure, &str)| match measure {
        Measure::Total(figure) | Measure::Cancelled(figure) | Measure::Refunded(figure) => {
            *figure == Figure::Quantity
        }
        Measure::StockTaken => true,
        Measure::StockMovedAt | Measure::LastOrderDate => false,
    };
    if view.is_by_line() || view.measures.iter().any(is_of_lines) {
        format!(
            "SELECT {key}, placed, cancelled, refunded, sum(quantity) AS quantity,
                    sum(amount) AS revenue, sum(refunded_quantity) AS refunded_quantity,
                    sum(refunded_amount) AS refunded_revenue, sum(stock_taken) AS stock_taken,
                    sum(stock_returned) AS stock_returned,
                    sum(refund_returned) AS refund_returned, max(created_at) AS created_at
             FROM sold_lines
             GROUP BY order_id, {values}, placed, cancelled, refunded"
        )
    } else {
        format!(
            "SELECT {key}, placed, cancelled, refunded, total AS revenue,
                    refunded_amount AS refunded_revenue, created_at
             FROM sales"
        )
    }
}

/// The value of a column; none if it is not compared.
fn value(measure: Measure) -> Option<String> {
    let figure = |figure: Figure, of: &str| match figure {
        Figure::Quantity => format!("coalesce(sum(quantity) FILTER (WHERE {of}), 0)"),
        Figure::Revenue => format!("coalesce(sum(revenue) FILTER (WHERE {of}), 0)"),
        Figure::Orders => format!("count(*) FILTER (WHERE {of})"),
    };
    // A part of an order can be refunded; the order counts as refunded only as a whole.
    let refunded = |figure: Figure| match figure {
        Figure::Quantity => "coalesce(sum(refunded_quantity), 0)",
        Figure::Revenue => "coalesce(sum(refunded_revenue), 0)",
        Figure::Orders => "count(*) FILTER (WHERE refunded)",
    };
    Some(match measure {
        Measure::Total(total) => {
            let [placed, cancelled] = ["placed", "cancelled"].map(|of| figure(total, of));
            format!("{placed} - {cancelled} - {}", refunded(total))
        }
        Measure::Cancelled(cancelled) => figure(cancelled, "cancelled"),
        Measure::Refunded(figure) => refunded(figure).to_owned(),
        Measure::StockTaken => "coalesce(sum(stock_taken) FILTER (WHERE placed), 0)
            - coalesce(sum(stock_returned) FILTER (WHERE cancelled), 0)
            - coalesce(sum(refund_returned), 0)"
            .to_owned(),
        Measure::LastOrderDate => "max(created_at) FILTER (WHERE placed)".to_owned(),
        Measure::StockMovedAt => return None,
    })
}
