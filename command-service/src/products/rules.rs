//! What a product may be, and what a change makes of it.

use crate::names::{self, CategoryName, Name};
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::json_body::{Members, Reader, integer};
use service_runtime::openapi::Id;
use service_runtime::problem::{FieldError, Problem};
use shared_events::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, MAX_PRICE};
use shared_events::{Money, ProductState};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The text of every refusal of a product's members.
pub const INVALID: &str = "Invalid product data";

/// A product as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    #[schema(value_type = Id)]
    pub id: i64,
    /// Its name.
    #[schema(examples("Assam tea"))]
    pub name: String,
    /// Its category.
    #[schema(examples("Drinks"))]
    pub category: String,
    /// Price of one piece.
    pub price: Money,
    /// Pieces in stock; null: not tracked.
    #[schema(required = true, minimum = 0, examples(100))]
    pub stock: Option<i32>,
    /// Raised by every change, orders and cancellations that change the stock included.
    #[schema(minimum = 1, examples(1))]
    pub version: i64,
    /// When it was created.
    #[schema(examples("2026-11-21T11:44:31.202809Z"))]
    pub created_at: DateTime<Utc>,
}

/// The command to create a product.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(examples(json!({"name": "Assam tea", "category": "Drinks", "price": 4.5, "stock": 100})))]
pub struct NewProduct {
    /// Its name.
    #[schema(value_type = Name)]
    pub name: String,
    /// Its category.
    #[schema(value_type = CategoryName)]
    pub category: String,
    /// Price of one piece.
    #[schema(value_type = Price)]
    pub price: Money,
    /// Pieces in stock; null or absent: not tracked, and never insufficient.
    #[schema(minimum = 0, maximum = 2147483647, examples(100))]
    pub stock: Option<i32>,
}

/// The command to change some members of a product; one that is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(examples(json!({"stock": 200})))]
pub struct ProductChange {
    /// Its name.
    #[schema(value_type = Name, required = false)]
    pub name: Option<String>,
    /// Its category.
    #[schema(value_type = CategoryName, required = false)]
    pub category: Option<String>,
    /// Price of one piece.
    #[schema(value_type = Price, required = false)]
    pub price: Option<Money>,
    /// Pieces in stock: sets the number, does not add to it. Null: no longer tracked.
    // `Some(None)`: null.
    #[schema(value_type = Option<i32>, minimum = 0, maximum = 2147483647, examples(200))]
    pub stock: Option<Option<i32>>,
}

/// The command to change the price alone, as documents have it.
#[derive(Debug, ToSchema)]
#[schema(examples(json!({"price": 4.8})))]
#[expect(dead_code, reason = "it is a ProductChange when it is read")]
pub struct PriceChange {
    /// Price of one piece.
    price: Price,
}

/// A price, as documents have it.
#[derive(Debug)]
pub struct Price;

impl PartialSchema for Price {
    fn schema() -> RefOr<Schema> {
        // No price that double precision rounds is beyond it.
        let max = MAX_PRICE.to_string().parse().unwrap_or(f64::MAX);
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("An amount of money, with at most four decimals."))
            .minimum(Some(0))
            .maximum(Some(max))
            .multiple_of(Some(0.0001))
            .examples([4.5])
            .into()
    }
}

impl ToSchema for Price {}

impl NewProduct {
    /// Reads the command.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    pub fn read(members: &Members) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut reader = Reader::new(members, String::new(), &mut errors);
        let name = reader.required("name", name);
        let category = reader.required("category", category);
        let price = reader.required("price", price);
        let stock = reader.optional("stock", stock);
        match (name, category, price) {
            (Some(name), Some(category), Some(price)) if errors.is_empty() => {
                Ok(Self { name, category, price, stock })
            }
            _ => Err(invalid(errors)),
        }
    }
}

impl ProductChange {
    /// Reads the command, which must name at least one member.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    pub fn read(members: &Members) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut reader = Reader::new(members, String::new(), &mut errors);
        let change = Self {
            name: reader.has("name").then(|| reader.required("name", name)).flatten(),
            category: reader
                .has("category")
                .then(|| reader.required("category", category))
                .flatten(),
            price: reader.has("price").then(|| reader.required("price", price)).flatten(),
            stock: reader.has("stock").then(|| reader.optional("stock", stock)),
        };
        if !errors.is_empty() {
            Err(invalid(errors))
        } else if change == Self::default() {
            Err(Problem::bad_request(INVALID)
                .detail("Name at least one of name, category, price and stock."))
        } else {
            Ok(change)
        }
    }

    /// Reads the command that changes the price alone.
    ///
    /// # Errors
    /// 400, with what is wrong.
    pub fn read_price(members: &Members) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let price = Reader::new(members, String::new(), &mut errors).required("price", price);
        if errors.is_empty() { Ok(Self { price, ..Self::default() }) } else { Err(invalid(errors)) }
    }
}

impl Product {
    /// The product after a change.
    pub fn changed(&self, change: ProductChange) -> Self {
        Self {
            id: self.id,
            name: change.name.unwrap_or_else(|| self.name.clone()),
            category: change.category.unwrap_or_else(|| self.category.clone()),
            price: change.price.unwrap_or(self.price),
            stock: change.stock.unwrap_or(self.stock),
            version: self.version + 1,
            created_at: self.created_at,
        }
    }

    /// The product as events tell of it, after a change that found
    /// `stock_before` in stock. Untracked counts as zero.
    pub fn state(&self, stock_before: Option<i32>) -> ProductState {
        let pieces = |stock: Option<i32>| i64::from(stock.unwrap_or(0));
        ProductState {
            product_id: self.id,
            name: self.name.clone(),
            category: self.category.clone(),
            price: self.price,
            stock: self.stock,
            stock_delta: pieces(self.stock) - pieces(stock_before),
        }
    }
}

fn invalid(errors: Vec<FieldError>) -> Problem {
    Problem::bad_request(INVALID).detail("Nothing was changed; see errors.").fields(errors)
}

fn name(value: &str) -> Result<String, Cow<'static, str>> {
    names::name(value, MAX_NAME_CHARS)
}

fn category(value: &str) -> Result<String, Cow<'static, str>> {
    names::name(value, MAX_CATEGORY_CHARS)
}

/// Reads a price.
///
/// # Errors
/// What it must be.
pub fn price(value: &str) -> Result<Money, Cow<'static, str>> {
    let price = Money::parse(value).map_err(|error| error.to_string())?;
    if price.is_price() { Ok(price) } else { Err(format!("must be from 0 to {MAX_PRICE}").into()) }
}

fn stock(value: &str) -> Result<i32, Cow<'static, str>> {
    let stock = integer(value, 0, i32::MAX.into())?;
    i32::try_from(stock).map_err(|_| "is too large".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Members {
        serde_json::from_str(json).unwrap()
    }

    fn product(stock: Option<i32>) -> Product {
        Product {
            id: 1,
            name: "Tea".to_owned(),
            category: "Food".to_owned(),
            price: Money::parse("5").unwrap(),
            stock,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_product_without_stock_is_not_tracked() {
        for json in [
            r#"{"name":"Tea","category":"Food","price":5}"#,
            r#"{"name":"Tea","category":"Food","price":5,"stock":null}"#,
        ] {
            assert_eq!(NewProduct::read(&members(json)).unwrap().stock, None);
        }
    }

    #[test]
    fn float_noise_is_taken_for_the_price_that_is_meant() {
        let json = r#"{"name":"Tea","category":"Food","price":0.30000000000000004}"#;
        assert_eq!(NewProduct::read(&members(json)).unwrap().price.to_string(), "0.3");
    }

    #[test]
    fn every_bad_member_is_refused() {
        for bad in [
            r#"{"category":"Food","price":5,"stock":1}"#,
            r#"{"name":"","category":"Food","price":5}"#,
            r#"{"name":" ","category":"Food","price":5}"#,
            r#"{"name":"T\u0000","category":"Food","price":5}"#,
            r#"{"name":7,"category":"Food","price":5}"#,
            r#"{"name":"Tea","category":null,"price":5}"#,
            r#"{"name":"Tea","category":"Food","price":-0.01}"#,
            r#"{"name":"Tea","category":"Food","price":1.00001}"#,
            r#"{"name":"Tea","category":"Food","price":"5"}"#,
            r#"{"name":"Tea","category":"Food","price":1e300}"#,
            r#"{"name":"Tea","category":"Food","price":5,"stock":-1}"#,
            r#"{"name":"Tea","category":"Food","price":5,"stock":1.5}"#,
            r#"{"name":"Tea","category":"Food","price":5,"stock":2147483648}"#,
            r#"{"name":"Tea","category":"Food","price":5,"stock":"1"}"#,
        ] {
            assert!(NewProduct::read(&members(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_names_at_least_one_member_and_nulls_only_the_stock() {
        assert!(ProductChange::read(&members("{}")).is_err());
        assert!(ProductChange::read(&members(r#"{"colour":"red"}"#)).is_err());
        assert!(ProductChange::read(&members(r#"{"name":null}"#)).is_err());
        let untracked = ProductChange::read(&members(r#"{"stock":null}"#)).unwrap();
        assert_eq!(untracked.stock, Some(None));
    }

    #[test]
    fn a_change_leaves_the_rest_and_raises_the_version() {
        let before = product(Some(10));
        let change = ProductChange { name: Some("Mate".to_owned()), ..ProductChange::default() };
        let after = before.changed(change);
        assert_eq!(after, Product { name: "Mate".to_owned(), version: 2, ..before });
    }

    #[test]
    fn stock_deltas_add_up_to_the_stock_whatever_the_tracking() {
        let mut sum = 0;
        let mut before = None;
        for stock in [Some(10), None, Some(4), Some(0), None, None, Some(7)] {
            sum += product(stock).state(before).stock_delta;
            assert_eq!(sum, i64::from(stock.unwrap_or(0)));
            before = stock;
        }
    }
}
