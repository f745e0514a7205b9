//! The life of an order: which status may follow which, and what a
//! cancellation puts back.

use axum::http::StatusCode;
use service_runtime::json_body::{Members, Reader, text};
use service_runtime::problem::Problem;
use shared_events::{OrderLine, OrderStatus};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The text of refusals of a status.
pub const INVALID: &str = "Invalid status";

/// The command to bring an order to a status, as documents have it.
#[derive(Debug, ToSchema)]
#[schema(examples(json!({"status": "PAID"})))]
#[expect(dead_code, reason = "it is an OrderStatus when it is read")]
pub struct StatusChange {
    /// The status that it is to have.
    status: OrderStatus,
}

/// What a wanted status comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The order has it already: nothing happens.
    Stay,
    /// The order comes to it.
    Move,
}

/// The life of an order forbids that step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    pub current: OrderStatus,
    pub wanted: OrderStatus,
}

/// Reads the command: the wanted status.
///
/// # Errors
/// 400 if it is none.
pub fn read(members: &Members) -> Result<OrderStatus, Problem> {
    let mut errors = Vec::new();
    let wanted = Reader::new(members, String::new(), &mut errors).required("status", status);
    wanted.ok_or_else(|| {
        Problem::bad_request(INVALID).detail("Nothing was changed; see errors.").fields(errors)
    })
}

fn status(value: &str) -> Result<OrderStatus, Cow<'static, str>> {
    let text = text(value)?;
    text.parse().map_err(|_| format!("must be one of {}", one_of(OrderStatus::ALL)).into())
}

/// Decides whether an order may come to a status.
///
/// # Errors
/// If the life of an order forbids it.
pub fn decide(current: OrderStatus, wanted: OrderStatus) -> Result<Step, Forbidden> {
    if current == wanted {
        Ok(Step::Stay)
    } else if current.successors().contains(&wanted) {
        Ok(Step::Move)
    } else {
        Err(Forbidden { current, wanted })
    }
}

/// Puts what the lines took back on the shelves, and notes on each line how
/// much that was. `stocks` are the products whose stock is tracked.
pub fn put_back(lines: &mut [OrderLine], stocks: &mut BTreeMap<i64, i32>) {
    for line in lines {
        // Somebody may have counted the shelf anew meanwhile: no more goes back
        // than a stock can be.
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
        let way_on = if allowed.is_empty() {
            "which is final".to_owned()
        } else {
            format!("which can only become {}", one_of(allowed))
        };
        let allowed: Vec<&str> = allowed.iter().map(|status| status.as_str()).collect();
        Self::new(StatusCode::CONFLICT, "Invalid status transition")
            .detail(format!("The order is {current}, {way_on}; not {wanted}. Nothing was changed."))
            .member("allowed", allowed)
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
    fn every_step_is_allowed_or_not_as_the_contract_says() {
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
                let expected = if current == wanted {
                    Ok(Step::Stay)
                } else if allowed.contains(&(current, wanted)) {
                    Ok(Step::Move)
                } else {
                    Err(Forbidden { current, wanted })
                };
                assert_eq!(decide(current, wanted), expected, "{current} to {wanted}");
            }
        }
    }

    #[test]
    fn a_refusal_names_what_is_allowed() {
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
    fn only_a_status_is_read_as_one() {
        let read = |json: &str| read(&serde_json::from_str(json).unwrap());
        assert_eq!(read(r#"{"status":"PAID"}"#).unwrap(), Paid);
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
    fn what_was_taken_goes_back_where_stock_is_still_tracked() {
        let mut lines = [line(1, 5), line(2, 5), line(1, 0), line(1, 5)];
        let mut stocks = BTreeMap::from([(1, 7)]);
        put_back(&mut lines, &mut stocks);
        assert_eq!(lines.map(|line| line.stock_returned), [Some(5), Some(0), Some(0), Some(5)]);
        assert_eq!(stocks[&1], 17);
    }

    #[test]
    fn no_more_goes_back_than_a_stock_can_be() {
        let mut lines = [line(1, 5), line(1, 5)];
        let mut stocks = BTreeMap::from([(1, i32::MAX - 7)]);
        put_back(&mut lines, &mut stocks);
        assert_eq!(lines.map(|line| line.stock_returned), [Some(5), Some(2)]);
        assert_eq!(stocks[&1], i32::MAX);
    }
}
