//! The lifecycle of an order: the allowed status transitions, and what a cancellation
//! returns to stock.

use crate::formats::NewStatus;
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
    }
}

/// A transition that the lifecycle does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    pub current: OrderStatus,
    pub wanted: OrderStatus,
}

/// Checks whether an order may change to another status.
///
/// # Errors
/// The lifecycle does not allow the transition.
pub fn check_transition(current: OrderStatus, wanted: OrderStatus) -> Result<(), Forbidden> {
    if current.successors().contains(&wanted) { Ok(()) } else { Err(Forbidden { current, wanted }) }
}

/// Returns the units that the lines took to stock, and records on each line how many were
/// returned. `stocks` are the products whose stock is tracked.
pub fn put_back(lines: &mut [OrderLine], stocks: &mut BTreeMap<i64, i32>) {
    for line in lines {
        // The stock may have been set to a higher number since. It must not overflow.
        let returned = stocks.get_mut(&line.product_id).map_or(0, |stock| {
            let returned = line.stock_taken().min(i32::MAX - *stock);
            *stock += returned;
            returned
        });
        line.stock_returned = Some(returned);
    }
}

impl From<Forbidden> for Problem {
    fn from(Forbidden { current, wanted }: Forbidden) -> Self {
        let allowed = current.successors();
        let next = if allowed.is_empty() {
            "which is final".to_owned()
        } else {
            format!("which can only become {}", one_of(allowed))
        };
        let allowed: Vec<&str> = allowed.iter().map(|status| status.as_str()).collect();
        Self::new(StatusCode::CONFLICT, "Invalid status transition")
            .detail(format!("The order is {current}, {next}; not {wanted}. Nothing was changed."))
            .extension("allowed", allowed)
    }
}

/// `A, B or C`.
fn one_of(statuses: &[OrderStatus]) -> String {
    let texts: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    match texts.split_last() {
        Some((end, [])) => (*end).to_owned(),
        Some((end, rest)) => format!("{} or {end}", rest.join(", ")),
        None => String::new(),
    }
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
        }
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
                let is_allowed = check_transition(current, wanted).is_ok();
                let expected = allowed.contains(&(current, wanted));
                assert_eq!(is_allowed, expected, "{current} to {wanted}");
            }
        }
    }

    #[test]
    fn a_refusal_lists_the_allowed_statuses() {
        let problem = |current, wanted| {
            let problem = Problem::from(Forbidden { current, wanted });
            serde_json::to_value(problem).unwrap()
        };
        let shipped = problem(Shipped, Paid);
        assert_eq!(shipped["allowed"], serde_json::json!(["DELIVERED", "REFUNDED"]));
        assert_eq!(
            shipped["detail"],
            "The order is SHIPPED, which can only become DELIVERED or REFUNDED; not PAID. \
             Nothing was changed."
        );
        assert_eq!(problem(Refunded, Paid)["allowed"], serde_json::json!([]));
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
