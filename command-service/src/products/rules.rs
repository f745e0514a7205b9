//! Products, and the commands that create and change them.

use crate::formats::{CategoryName, Name, Price, Stock};
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::{body, change};
use shared_events::{Money, ProductState};
use utoipa::ToSchema;

/// The text of the response to an invalid product.
pub const INVALID: &str = "Invalid product data";

/// A product. `productId` repeats `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// The id of the product.
    #[schema(value_type = Id)]
    pub product_id: i64,
    /// The id of the product.
    #[schema(value_type = Id)]
    pub id: i64,
    /// The name.
    #[schema(examples("Assam tea"))]
    pub name: String,
    /// The category.
    #[schema(examples("Drinks"))]
    pub category: String,
    /// Price per unit.
    pub price: Money,
    /// Units in stock; null if stock is not tracked.
    #[schema(required = true, minimum = 0, examples(100))]
    pub stock: Option<i32>,
    /// Incremented by every change, including orders and cancellations that change the stock.
    #[schema(minimum = 1, examples(1))]
    pub version: i64,
    /// When the product was created.
    #[schema(examples("2026-11-21T11:44:31.202809Z"))]
    pub created_at: DateTime<Utc>,
}

body! {
    /// A product to create.
    #[schema(examples(json!({"name": "Assam tea", "category": "Drinks", "price": 4.5,
                             "stock": 100})))]
    pub struct NewProduct {
        /// The name.
        pub name: Name,
        /// The category.
        pub category: CategoryName,
        /// Price per unit.
        pub price: Price,
        /// Units in stock. If absent or null, stock is not tracked and never insufficient.
        pub stock: Option<Stock>,
    }
}

change! {
    /// Changes to a product.
    #[schema(examples(json!({"stock": 200})))]
    pub struct ProductChange {
        /// The new name.
        pub name: Name,
        /// The new category.
        pub category: CategoryName,
        /// The new price per unit.
        pub price: Price,
        /// The new number of units in stock. Null stops tracking stock.
        pub stock: Option<Stock>,
    }
}

body! {
    /// A change of the price of a product.
    #[schema(examples(json!({"price": 4.8})))]
    pub struct PriceChange {
        /// The new price per unit.
        pub price: Price,
    }
}

impl Product {
    /// The product after a change.
    pub fn changed(&self, change: ProductChange) -> Self {
        Self {
            name: change.name.unwrap_or_else(|| self.name.clone()),
            category: change.category.unwrap_or_else(|| self.category.clone()),
            price: change.price.unwrap_or(self.price),
            stock: change.stock.unwrap_or(self.stock),
            version: self.version + 1,
            ..*self
        }
    }

    /// The product as in events, after a change from `stock_before`. Untracked stock counts
    /// as zero.
    pub fn state(&self, stock_before: Option<i32>) -> ProductState {
        let units = |stock: Option<i32>| i64::from(stock.unwrap_or(0));
        ProductState {
            product_id: self.id,
            name: self.name.clone(),
            category: self.category.clone(),
            price: self.price,
            stock: self.stock,
            stock_delta: units(self.stock) - units(stock_before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_runtime::json_body::{Body, parse};

    fn read<B: Body>(json: &str) -> Option<B> {
        parse(json.as_bytes(), INVALID).ok()
    }

    fn product(stock: Option<i32>) -> Product {
        Product {
            product_id: 1,
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
            assert_eq!(read::<NewProduct>(json).unwrap().stock, None);
        }
    }

    #[test]
    fn float_noise_in_a_price_is_rounded_away() {
        let json = r#"{"name":"Tea","category":"Food","price":0.30000000000000004}"#;
        assert_eq!(read::<NewProduct>(json).unwrap().price.to_string(), "0.3");
    }

    #[test]
    fn invalid_products_are_refused() {
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
            assert!(read::<NewProduct>(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_change_has_at_least_one_field_and_null_only_as_stock() {
        assert!(read::<ProductChange>("{}").is_none());
        assert!(read::<ProductChange>(r#"{"colour":"red"}"#).is_none());
        assert!(read::<ProductChange>(r#"{"name":null}"#).is_none());
        let untracked = read::<ProductChange>(r#"{"stock":null}"#).unwrap();
        assert_eq!(untracked.stock, Some(None));
    }

    #[test]
    fn a_change_keeps_other_fields_and_increments_the_version() {
        let before = product(Some(10));
        let change = ProductChange { name: Some("Mate".to_owned()), ..ProductChange::default() };
        let after = before.changed(change);
        assert_eq!(after, Product { name: "Mate".to_owned(), version: 2, ..before });
    }

    #[test]
    fn stock_deltas_add_up_to_the_stock_whether_tracked_or_not() {
        let mut sum = 0;
        let mut before = None;
        for stock in [Some(10), None, Some(4), Some(0), None, None, Some(7)] {
            sum += product(stock).state(before).stock_delta;
            assert_eq!(sum, i64::from(stock.unwrap_or(0)));
            before = stock;
        }
    }
}
