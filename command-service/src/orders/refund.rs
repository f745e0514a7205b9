//! Refunds: the body, and what a refund takes from the lines of an order.

use crate::formats::{Amount, PositiveAmount, Quantity, Reason, Restock};
use axum::http::StatusCode;
use service_runtime::body;
use service_runtime::json_body::List;
use service_runtime::openapi::Id;
use service_runtime::problem::{FieldError, Problem};
use shared_events::limits::MAX_ORDER_LINES;
use shared_events::{Money, OrderStatus};

/// The text of the response to an invalid body.
pub const INVALID: &str = "Invalid refund data";

/// Maximum number of items of the refunds of an order, which every response about it lists. A refund
/// of an amount has an item for each line. The status REFUNDED refunds the rest in any case.
pub const MAX_REFUND_ITEMS: i64 = 10_000;

body! {
    /// A refund: of units of some products, or of an amount for the order.
    #[schema(examples(json!({"items": [{"productId": 1, "quantity": 1}], "reason": "scratched"})))]
    pub struct RefundRequest {
        /// The units to refund. Either this or `amount`.
        pub items: Option<Items>,
        /// An amount to refund without units, such as 5 for a damaged box. It is spread over the
        /// lines of the order in proportion to what is left of them.
        pub amount: Option<PositiveAmount>,
        /// Whether the units return to stock. Default: true.
        pub restock: Option<Restock>,
        /// Why.
        pub reason: Option<Reason>,
    }
    exactly one of items, amount;
}

body! {
    /// Units of a product to refund.
    #[schema(as = NewRefundItem, examples(json!({"productId": 1, "quantity": 1})))]
    pub struct Item {
        /// The product.
        pub product_id: Id,
        /// Number of units.
        pub quantity: Quantity,
        /// The amount. Default: quantity × the price paid.
        pub amount: Option<Amount>,
    }
}

type Items = List<Item, MAX_ORDER_LINES>;

/// What is left of a line of an order.
#[derive(Clone, Debug)]
pub struct LineLeft {
    /// The id of its row.
    pub id: i64,
    pub product_id: i64,
    pub price: Money,
    pub quantity: i32,
    pub amount: Money,
}

/// What a refund takes from a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub quantity: i32,
    pub amount: Money,
}

/// Why a refund is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The order has no line with the products of these items: place and product.
    NotOrdered(Vec<(usize, i64)>),
    /// More units than are left.
    TooManyUnits { product_id: i64, wanted: i64, left: i64 },
    /// A higher amount than is left of the lines of an item's units, or of the order.
    AmountTooHigh { product_id: Option<i64>, wanted: Money, left: Money },
    /// The order has too many refunded items already.
    TooManyItems,
    /// The order is not paid, or cancelled.
    NotRefundable { status: OrderStatus },
}

/// Checks whether an order with this status can be refunded.
///
/// # Errors
/// It is unpaid or cancelled.
pub fn check_status(status: OrderStatus) -> Result<(), Refusal> {
    match status {
        OrderStatus::Created | OrderStatus::Cancelled => Err(Refusal::NotRefundable { status }),
        // Nothing is left of a refunded order, so it is refused as exceeding.
        OrderStatus::Paid
        | OrderStatus::Shipped
        | OrderStatus::Delivered
        | OrderStatus::Refunded => Ok(()),
    }
}

/// What a refund takes from each line.
///
/// # Errors
/// It exceeds what is left, or names a product that was not ordered.
pub fn shares(lines: &[LineLeft], request: &RefundRequest) -> Result<Vec<Share>, Refusal> {
    let mut lines = lines.to_vec();
    let mut shares = vec![Share::default(); lines.len()];
    let items = request.items.as_deref().unwrap_or_default();
    let is_ordered = |product: i64| lines.iter().any(|line| line.product_id == product);
    let named = items.iter().map(|item| item.product_id).enumerate();
    let not_ordered: Vec<(usize, i64)> =
        named.filter(|(_, product)| !is_ordered(*product)).collect();
    if !not_ordered.is_empty() {
        return Err(Refusal::NotOrdered(not_ordered));
    }
    for item in items {
        take(&mut lines, &mut shares, item)?;
    }
    if let Some(amount) = request.amount {
        let all: Vec<usize> = (0..lines.len()).collect();
        take_amount(&mut lines, &mut shares, &all, amount)
            .map_err(|left| Refusal::AmountTooHigh { product_id: None, wanted: amount, left })?;
    }
    Ok(shares)
}

/// Takes the units of an item from the lines of its product, and its amount from those lines.
fn take(lines: &mut [LineLeft], shares: &mut [Share], item: &Item) -> Result<(), Refusal> {
    let mut wanted = item.quantity;
    let mut from = Vec::new();
    for line in 0..lines.len() {
        let units = wanted.min(lines[line].quantity);
        if units > 0 && lines[line].product_id == item.product_id {
            lines[line].quantity -= units;
            shares[line].quantity += units;
            wanted -= units;
            from.push((line, units));
        }
    }
    if wanted > 0 {
        let (product_id, all) = (item.product_id, i64::from(item.quantity));
        let left = all - i64::from(wanted);
        return Err(Refusal::TooManyUnits { product_id, wanted: all, left });
    }
    let too_high =
        |wanted, left| Refusal::AmountTooHigh { product_id: Some(item.product_id), wanted, left };
    if let Some(amount) = item.amount {
        let from: Vec<usize> = from.into_iter().map(|(line, _)| line).collect();
        return take_amount(lines, shares, &from, amount).map_err(|left| too_high(amount, left));
    }
    for (line, units) in from {
        let paid = lines[line].price.checked_times(units).unwrap_or_default();
        take_amount(lines, shares, &[line], paid).map_err(|left| too_high(paid, left))?;
    }
    Ok(())
}

/// Takes an amount from some lines, in proportion to what is left of them. The error is what is left
/// if that is less.
fn take_amount(
    lines: &mut [LineLeft],
    shares: &mut [Share],
    from: &[usize],
    wanted: Money,
) -> Result<(), Money> {
    let weights: Vec<Money> = from.iter().map(|line| lines[*line].amount).collect();
    let spread = wanted.spread(&weights).ok_or_else(|| {
        let left = weights.iter().try_fold(Money::ZERO, |sum, amount| sum.checked_add(*amount));
        left.unwrap_or_default()
    })?;
    for (&line, amount) in from.iter().zip(spread) {
        lines[line].amount = lines[line].amount.checked_sub(amount).unwrap_or_default();
        shares[line].amount = shares[line].amount.checked_add(amount).unwrap_or_default();
    }
    Ok(())
}

/// Whether these shares take all that is left.
pub fn is_whole(lines: &[LineLeft], shares: &[Share]) -> bool {
    let takes_all = |(line, share): (&LineLeft, &Share)| {
        (line.quantity, line.amount) == (share.quantity, share.amount)
    };
    lines.iter().zip(shares).all(takes_all)
}

impl LineLeft {
    /// A share of all that is left.
    pub const fn all(&self) -> Share {
        Share { quantity: self.quantity, amount: self.amount }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let exceeds =
            |detail: String| Self::new(StatusCode::CONFLICT, "Refund exceeds order").detail(detail);
        match refusal {
            Refusal::NotOrdered(items) => {
                let error = |(item, product_id)| FieldError {
                    field: format!("items[{item}].productId"),
                    message: format!("must be a product of the order, not {product_id}").into(),
                };
                Self::bad_request(INVALID)
                    .detail("Nothing was changed; see errors.")
                    .fields(items.into_iter().map(error).collect())
            }
            Refusal::TooManyUnits { product_id, wanted, left } => exceeds(format!(
                "Of product {product_id}, {left} can be refunded, {wanted} were asked for. Nothing \
                 was refunded."
            ))
            .extension("productId", product_id)
            .extension("quantityLeft", left),
            Refusal::AmountTooHigh { product_id, wanted, left } => {
                let of = product_id.map_or("Of the order".to_owned(), |product| {
                    format!("Of these units of product {product}")
                });
                exceeds(format!(
                    "{of}, at most {left} can be refunded, {wanted} was asked for. Nothing was \
                     refunded."
                ))
                .extension("productId", product_id)
                .extension("amountLeft", serde_json::to_value(left).unwrap_or_default())
            }
            Refusal::TooManyItems => Self::new(StatusCode::CONFLICT, "Order not refundable")
                .detail(format!(
                    "The order has {MAX_REFUND_ITEMS} refunded items. Change its status to \
                     REFUNDED to refund the rest. Nothing was refunded."
                )),
            Refusal::NotRefundable { status } => {
                let advice = match status {
                    OrderStatus::Created => "is not paid: cancel it instead",
                    _ => "is cancelled",
                };
                Self::new(StatusCode::CONFLICT, "Order not refundable")
                    .detail(format!("The order {advice}. Nothing was refunded."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use service_runtime::json_body::parse;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    /// Lines of product, price and what is left: units and amount.
    fn lines(lines: &[(i64, &str, i32, &str)]) -> Vec<LineLeft> {
        let line =
            |(id, &(product_id, price, quantity, amount)): (i64, &(i64, &str, i32, &str))| {
                LineLeft { id, product_id, price: money(price), quantity, amount: money(amount) }
            };
        (1..).zip(lines).map(line).collect()
    }

    fn read(json: &str) -> Result<RefundRequest, Problem> {
        parse(json.as_bytes(), INVALID)
    }

    fn shared(lines: &[LineLeft], json: &str) -> Result<Vec<(i32, String)>, Refusal> {
        let shares = shares(lines, &read(json).unwrap())?;
        Ok(shares.iter().map(|share| (share.quantity, share.amount.to_string())).collect())
    }

    fn is(shares: &[(i32, &str)]) -> Result<Vec<(i32, String)>, Refusal> {
        Ok(shares.iter().map(|(units, amount)| (*units, (*amount).to_owned())).collect())
    }

    #[test]
    fn a_body_has_either_items_or_an_amount() {
        for good in [
            r#"{"amount":0.0001}"#,
            r#"{"items":[{"productId":1,"quantity":1}],"restock":false,"reason":"scratched"}"#,
            r#"{"items":[{"productId":1,"quantity":1,"amount":0}],"amount":null}"#,
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for (bad, fields) in [
            ("{}", &["items"][..]),
            (r#"{"items":[{"productId":1,"quantity":1}],"amount":5}"#, &["items"]),
            (r#"{"amount":0,"restock":1,"reason":""}"#, &["amount", "restock", "reason"]),
            (r#"{"amount":-1}"#, &["amount"]),
            (r#"{"amount":1.00001}"#, &["amount"]),
            (r#"{"items":[]}"#, &["items"]),
            (
                r#"{"items":[{"productId":0,"quantity":0,"amount":-1}]}"#,
                &["items[0].productId", "items[0].quantity", "items[0].amount"],
            ),
        ] {
            let problem = serde_json::to_value(read(bad).unwrap_err()).unwrap();
            assert_eq!(problem["error"], INVALID);
            let errors = problem["errors"].as_array().unwrap();
            let named: Vec<&str> =
                errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
            assert_eq!(named, fields, "{bad}");
        }
    }

    #[test]
    fn units_are_taken_from_the_lines_of_their_product_at_the_price_paid() {
        let lines = lines(&[(1, "2.5", 2, "5"), (2, "7", 1, "7"), (1, "3", 2, "6")]);
        assert_eq!(
            shared(&lines, r#"{"items":[{"productId":1,"quantity":3}]}"#),
            is(&[(2, "5"), (0, "0"), (1, "3")])
        );
        // Two items with one product.
        let twice = r#"{"items":[{"productId":1,"quantity":1},{"productId":1,"quantity":2}]}"#;
        assert_eq!(shared(&lines, twice), is(&[(2, "5"), (0, "0"), (1, "3")]));
        assert_eq!(
            shared(&lines, r#"{"items":[{"productId":1,"quantity":5}]}"#),
            Err(Refusal::TooManyUnits { product_id: 1, wanted: 5, left: 4 })
        );
        assert_eq!(
            shared(
                &lines,
                r#"{"items":[{"productId":2,"quantity":1},{"productId":3,"quantity":1}]}"#
            ),
            Err(Refusal::NotOrdered(vec![(1, 3)]))
        );
    }

    #[test]
    fn an_amount_is_limited_by_what_is_left() {
        // 3 of the second line's 7 were refunded without a unit.
        let lines = lines(&[(1, "2.5", 2, "5"), (2, "7", 1, "4")]);
        assert_eq!(shared(&lines, r#"{"amount":9}"#), is(&[(0, "5"), (0, "4")]));
        assert_eq!(shared(&lines, r#"{"amount":0.0001}"#), is(&[(0, "0.0001"), (0, "0")]));
        let refused = |product_id, wanted, left| {
            let (wanted, left) = (money(wanted), money(left));
            Err(Refusal::AmountTooHigh { product_id, wanted, left })
        };
        assert_eq!(shared(&lines, r#"{"amount":9.0001}"#), refused(None, "9.0001", "9"));
        let unit = r#"{"items":[{"productId":2,"quantity":1}]}"#;
        assert_eq!(shared(&lines, unit), refused(Some(2), "7", "4"));
        let rest = r#"{"items":[{"productId":2,"quantity":1,"amount":4}]}"#;
        assert_eq!(shared(&lines, rest), is(&[(0, "0"), (1, "4")]));
    }

    #[test]
    fn a_refund_is_whole_if_neither_a_unit_nor_an_amount_is_left() {
        let lines = lines(&[(1, "2.5", 2, "5"), (2, "0", 1, "0")]);
        let is_whole = |json: &str| {
            let shares = shares(&lines, &read(json).unwrap()).unwrap();
            is_whole(&lines, &shares)
        };
        assert!(is_whole(
            r#"{"items":[{"productId":1,"quantity":2},{"productId":2,"quantity":1}]}"#
        ));
        assert!(!is_whole(r#"{"items":[{"productId":1,"quantity":2}]}"#));
        assert!(!is_whole(r#"{"amount":5}"#));
    }

    fn sum(amounts: impl Iterator<Item = Money>) -> Money {
        amounts.reduce(|sum, amount| sum.checked_add(amount).unwrap()).unwrap()
    }

    /// Takes the shares from the lines. Panics if they exceed a line.
    fn subtract(lines: &mut [LineLeft], shares: &[Share]) {
        for (line, share) in lines.iter_mut().zip(shares) {
            line.quantity -= share.quantity;
            line.amount = line.amount.checked_sub(share.amount).unwrap();
            assert!(line.quantity >= 0 && line.amount >= Money::ZERO, "{line:?} after {share:?}");
        }
    }

    proptest! {
        #[test]
        fn any_refunds_stay_within_the_order(
            ordered in prop::collection::vec((1..4_i64, 0..100_000_u128, 1..5_i32), 1..6),
            requests in prop::collection::vec(
                (prop::option::of((1..4_i64, 1..4_i32)), prop::option::of(1..90_000_u128)),
                1..20,
            ),
        ) {
            let mut lines: Vec<LineLeft> = (1..)
                .zip(ordered)
                .map(|(id, (product_id, price, quantity))| {
                    let price = Money::from_units(price);
                    let amount = price.checked_times(quantity).unwrap();
                    LineLeft { id, product_id, price, quantity, amount }
                })
                .collect();
            for (units, amount) in requests {
                let stated = amount.map(|amount| format!(r#""amount":{}"#, Money::from_units(amount)));
                let json = match (units, stated) {
                    (None, None) => continue,
                    (None, Some(amount)) => format!("{{{amount}}}"),
                    (Some((product, quantity)), amount) => format!(
                        r#"{{"items":[{{"productId":{product},"quantity":{quantity}{}}}]}}"#,
                        amount.map_or_else(String::new, |amount| format!(",{amount}")),
                    ),
                };
                let Ok(shares) = shares(&lines, &read(&json).unwrap()) else { continue };
                if let Some(amount) = amount {
                    prop_assert_eq!(sum(shares.iter().map(|share| share.amount)), Money::from_units(amount));
                }
                let taken: i32 = shares.iter().map(|share| share.quantity).sum();
                prop_assert_eq!(taken, units.map_or(0, |(_, quantity)| quantity));
                subtract(&mut lines, &shares);
            }
        }
    }

    #[test]
    fn only_paid_orders_are_refundable() {
        for status in OrderStatus::ALL {
            let expected = !matches!(status, OrderStatus::Created | OrderStatus::Cancelled);
            assert_eq!(check_status(*status).is_ok(), expected, "{status}");
        }
    }
}
