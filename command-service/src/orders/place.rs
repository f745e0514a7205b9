//! The command to place an order.

use crate::products::{Price, price};
use serde_json::value::RawValue;
use service_runtime::json_body::{Members, Reader, integer};
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use shared_events::Money;
use shared_events::limits::MAX_ORDER_LINES;
use std::borrow::Cow;
use utoipa::ToSchema;

/// The text of refusals of an order's members.
pub const INVALID: &str = "Invalid order data";

/// An order to be placed.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(
    rename_all = "camelCase",
    examples(json!({"customerId": 42, "items": [{"productId": 1, "quantity": 2}]}))
)]
pub struct PlaceOrder {
    /// Who orders: a user's id or any other. A customer who is not there yet is created.
    #[schema(value_type = Id)]
    pub customer_id: i64,
    /// At least one; several may name the same product.
    #[schema(rename = "items", min_items = 1, max_items = 2000,
             examples(json!([{"productId": 1, "quantity": 2}])))]
    pub lines: Vec<Line>,
}

/// A line of an order to be placed.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(as = NewOrderLine, rename_all = "camelCase")]
pub struct Line {
    /// What is ordered.
    #[schema(value_type = Id)]
    pub product_id: i64,
    /// Pieces.
    #[schema(minimum = 1, maximum = 2147483647, examples(2))]
    pub quantity: i32,
    /// Price of one piece; absent or null: the catalogue's. Another one was negotiated,
    /// unless the service takes none but the catalogue's.
    #[schema(value_type = Option<Price>)]
    pub price: Option<Money>,
}

impl PlaceOrder {
    /// Reads the command.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    pub fn read(members: &Members) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut reader = Reader::new(members, String::new(), &mut errors);
        let customer_id = reader.required("customerId", id);
        let items = reader.required("items", items).unwrap_or_default();
        let lines: Vec<Option<Line>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("items[{index}]");
                match serde_json::from_str::<Members>(item.get()) {
                    Ok(members) => Line::read(Reader::new(&members, path, &mut errors)),
                    Err(_) => {
                        Reader::new(members, path, &mut errors).refuse("", "must be an object");
                        None
                    }
                }
            })
            .collect();
        match (customer_id, lines.into_iter().collect::<Option<Vec<Line>>>()) {
            (Some(customer_id), Some(lines)) if errors.is_empty() => {
                Ok(Self { customer_id, lines })
            }
            _ => Err(Problem::bad_request(INVALID)
                .detail("Nothing was ordered; see errors.")
                .fields(errors)),
        }
    }
}

impl Line {
    fn read(mut reader: Reader<'_>) -> Option<Self> {
        let product_id = reader.required("productId", id);
        let quantity = reader.required("quantity", quantity);
        let price = reader.optional("price", price);
        Some(Self { product_id: product_id?, quantity: quantity?, price })
    }
}

fn id(value: &str) -> Result<i64, Cow<'static, str>> {
    integer(value, 1, i64::MAX)
}

fn quantity(value: &str) -> Result<i32, Cow<'static, str>> {
    let quantity = integer(value, 1, i32::MAX.into())?;
    i32::try_from(quantity).map_err(|_| "is too large".into())
}

fn items(value: &str) -> Result<Vec<Box<RawValue>>, Cow<'static, str>> {
    match serde_json::from_str::<Vec<Box<RawValue>>>(value) {
        Ok(items) if (1..=MAX_ORDER_LINES).contains(&items.len()) => Ok(items),
        _ => Err(format!("must be a list of 1 to {MAX_ORDER_LINES} lines").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<PlaceOrder, Problem> {
        PlaceOrder::read(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_price_of_a_line_is_optional() {
        let order = read(
            r#"{"customerId":1,"items":[{"productId":2,"quantity":3},
                {"productId":2,"quantity":1,"price":9.99},{"productId":4,"quantity":1,"price":null}]}"#,
        )
        .unwrap();
        let prices: Vec<Option<Money>> = order.lines.iter().map(|line| line.price).collect();
        assert_eq!(prices, [None, Money::parse("9.99").ok(), None]);
    }

    #[test]
    fn every_bad_member_is_refused() {
        for bad in [
            r#"{}"#,
            r#"{"customerId":1}"#,
            r#"{"customerId":1,"items":[]}"#,
            r#"{"customerId":1,"items":null}"#,
            r#"{"customerId":1,"items":{"productId":1,"quantity":1}}"#,
            r#"{"customerId":1,"items":[7]}"#,
            r#"{"customerId":1,"items":[null]}"#,
            r#"{"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":0,"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":"1","items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":1.5,"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":9223372036854775808,"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":1,"items":[{"quantity":1}]}"#,
            r#"{"customerId":1,"items":[{"productId":-1,"quantity":1}]}"#,
            r#"{"customerId":1,"items":[{"productId":1}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":0}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1.0}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":2147483648}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1,"price":-1}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1,"price":0.00001}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1,"price":"1"}]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
