//! The lifecycle of an order: the allowed status transitions, and what a cancellation
//! returns to stock.

use super::restock::return_units;
use crate::formats::{NewStatus, Reason};
use axum::http::StatusCode;
use service_runtime::body;
use service_runtime::problem::Problem;
use shared_events::{OrderLine, OrderStatus};
use std::collections::BTreeMap;

/// The text of the response to an invalid body.
pub const INVALID: &str = "Invalid status";

body! {
    /// A change of the status of an order.
    #[schema(examples(json!({"status": "PAID"})))]
    pub struct StatusChange {
        /// The new status.
        pub status: NewStatus,
        /// Why.
        pub reason: Option<Reason>,
    }
}

/// What decides about a change of the status of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    pub status: OrderStatus,
    /// Why the order last changed.
    pub reason: Option<String>,
    /// Whether a part of it was refunded.
    pub has_refunds: bool,
}

/// A transition that the lifecycle does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    pub current: Current,
    pub wanted: OrderStatus,
}

impl Current {
    /// Changes to another status.
    ///
    /// # Errors
    /// The lifecycle does not allow the transition.
    pub fn check(self, wanted: OrderStatus) -> Result<(), Forbidden> {
        let is_allowed = self.successors().any(|status| status == wanted);
        if is_allowed { Ok(()) } else { Err(Forbidden { current: self, wanted }) }
    }

    /// The statuses that may follow. An order with refunds is not cancelled: the refunded amount
    /// would be returned twice.
    fn successors(&self) -> impl Iterator<Item = OrderStatus> {
        let all = self.status.successors().iter().copied();
        all.filter(|status| !(self.has_refunds && *status == OrderStatus::Cancelled))
    }
}

/// Returns the units that the lines took to stock, and records on each line how many were
/// returned. `stocks` are the products whose stock is tracked.
pub fn put_back(lines: &mut [OrderLine], stocks: &mut BTreeMap<i64, i32>) {
    for line in lines {
        line.stock_returned = Some(return_units(stocks, line, line.stock_taken()));
    }
}

impl From<Forbidden> for Problem {
    fn from(Forbidden { current, wanted }: Forbidden) -> Self {
        let allowed: Vec<&str> = current.successors().map(OrderStatus::as_str).collect();
        let next = match one_of(&allowed) {
            None => "which is final".to_owned(),
            Some(statuses) => format!("which can only become {statuses}"),
        };
        let Current { status, reason, has_refunds } = current;
        let refunded = if has_refunds { " and partly refunded" } else { "" };
        let because = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let detail = format!(
            "The order is {status}{refunded}{because}, {next}; not {wanted}. Nothing was changed."
        );
        Self::new(StatusCode::CONFLICT, "Invalid status transition")
            .detail(detail)
            .extension("allowed", allowed)
            .extension("orderStatus", status.as_str())
            .extension("reason", reason)
    }
}

/// `A, B or C`; none without a text.
fn one_of(texts: &[&str]) -> Option<String> {
    Some(match texts.split_last()? {
        (end, []) => (*end).to_owned(),
        (end, rest) => format!("{} or {end}", rest.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use OrderStatus::{Cancelled, Created, Delivered, Paid, Refunded, Shipped};
    use service_runtime::json_body::parse;
    use shared_events::Money;

    fn line(product_id: i64, taken: i32) -> OrderLine {
        OrderLine {
            product_id,
            product_name: "Tea".to_owned(),
            category: "Food".to_owned(),
            quantity: 5,
            price: Money::ZERO,
            stock_taken: Some(taken),
            stock_returned: None,
            refunded_quantity: None,
            refunded_amount: None,
        }
    }

    fn order(status: OrderStatus, has_refunds: bool) -> Current {
        Current { status, reason: None, has_refunds }
    }

    #[test]
    fn the_lifecycle_allows_the_transitions_of_the_contract() {
        let allowed = [
            (Created, Paid),
            (Created, Shipped),
            (Created, Cancelled),
            (Paid, Shipped),
            (Paid, Cancelled),
            (Paid, Refunded),
            (Shipped, Delivered),
            (Shipped, Refunded),
            (Delivered, Refunded),
        ];
        for &current in OrderStatus::ALL {
            for &wanted in OrderStatus::ALL {
                let is_allowed = order(current, false).check(wanted).is_ok();
                let expected = allowed.contains(&(current, wanted));
                assert_eq!(is_allowed, expected, "{current} to {wanted}");
                let is_allowed = order(current, true).check(wanted).is_ok();
                let expected = expected && wanted != Cancelled;
                assert_eq!(is_allowed, expected, "{current} with refunds to {wanted}");
            }
        }
    }

    #[test]
    fn a_refusal_lists_the_allowed_statuses() {
        let problem = |current: Current, wanted| {
            serde_json::to_value(Problem::from(current.check(wanted).unwrap_err())).unwrap()
        };
        let shipped = problem(order(Shipped, false), Paid);
        assert_eq!(shipped["allowed"], serde_json::json!(["DELIVERED", "REFUNDED"]));
        assert_eq!(
            shipped["detail"],
            "The order is SHIPPED, which can only become DELIVERED or REFUNDED; not PAID. \
             Nothing was changed."
        );
        assert_eq!(problem(order(Refunded, false), Paid)["allowed"], serde_json::json!([]));
        let paid = problem(order(Paid, true), Cancelled);
        assert_eq!(paid["allowed"], serde_json::json!(["SHIPPED", "REFUNDED"]));
        assert_eq!(
            paid["detail"],
            "The order is PAID and partly refunded, which can only become SHIPPED or REFUNDED; not \
             CANCELLED. Nothing was changed."
        );
        let reason = Some("PAYMENT_TIMEOUT".to_owned());
        let expired = Current { reason, ..order(Cancelled, false) };
        let expired = problem(expired, Paid);
        assert_eq!(
            expired["detail"],
            "The order is CANCELLED (PAYMENT_TIMEOUT), which is final; not PAID. Nothing was \
             changed."
        );
        assert_eq!([&expired["orderStatus"], &expired["reason"]], ["CANCELLED", "PAYMENT_TIMEOUT"]);
    }

    #[test]
    fn only_a_known_status_is_accepted() {
        let read = |json: &str| parse::<StatusChange>(json.as_bytes(), INVALID);
        assert_eq!(read(r#"{"status":"PAID"}"#).unwrap().status, Paid);
        for bad in [
            "{}",
            r#"{"status":null}"#,
            r#"{"status":1}"#,
            r#"{"status":"paid"}"#,
            r#"{"status":""}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn taken_units_return_to_tracked_stock() {
        let mut lines = [line(1, 5), line(2, 5), line(1, 0), line(1, 5)];
        let mut stocks = BTreeMap::from([(1, 7)]);
        put_back(&mut lines, &mut stocks);
        assert_eq!(lines.map(|line| line.stock_returned), [Some(5), Some(0), Some(0), Some(5)]);
        assert_eq!(stocks[&1], 17);
    }

    #[test]
    fn returned_stock_does_not_overflow() {
        let mut lines = [line(1, 5), line(1, 5)];
        let mut stocks = BTreeMap::from([(1, i32::MAX - 7)]);
        put_back(&mut lines, &mut stocks);
        assert_eq!(lines.map(|line| line.stock_returned), [Some(5), Some(2)]);
        assert_eq!(stocks[&1], i32::MAX);
    }
}
