//! Events about products.

use crate::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS};
use crate::properties::Properties;
use crate::{DecodeError, EventType, Money};
use serde::Serialize;

/// Payload of `ProductCreated` and `ProductUpdated`: the full state after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductState {
    /// Product id.
    pub product_id: i64,
    /// Name.
    pub name: String,
    /// Category.
    pub category: String,
    /// Catalogue price.
    pub price: Money,
    /// Units in stock after the change; none if stock is not tracked. Views do not use it, they
    /// sum `stock_delta`.
    pub stock: Option<i32>,
    /// Change of the stock, with untracked stock counted as 0.
    pub stock_delta: i64,
}

/// Payload of `PriceChanged`: the full state after the change, and both prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceChanged {
    /// The state after the change.
    #[serde(flatten)]
    pub product: ProductState,
    /// Price before the change.
    pub old_price: Money,
    /// Price after the change.
    pub new_price: Money,
}

impl ProductState {
    pub(crate) fn read(
        properties: &Properties<'_>,
        event_type: EventType,
    ) -> Result<Self, DecodeError> {
        if event_type != EventType::ProductCreated && !properties.has("stock") {
            return Err(properties.refuse("stock", "is required: null if it is not tracked"));
        }
        let stock = properties.small("stock", 0, i32::MAX)?;
        let stock_delta = properties.small("stockDelta", -i32::MAX, i32::MAX)?;
        let stock_delta =
            properties.or_default("stockDelta", stock_delta, || match event_type {
                EventType::ProductCreated => Some(stock.unwrap_or(0)),
                // A price change does not change the stock.
                EventType::PriceChanged => Some(0),
                _ => None,
            })?;
        let new_price = match event_type {
            EventType::PriceChanged => properties.price("newPrice")?,
            _ => None,
        };
        Ok(Self {
            product_id: properties.id("productId")?,
            name: properties.required_name("name", MAX_NAME_CHARS)?,
            category: properties.required_name("category", MAX_CATEGORY_CHARS)?,
            price: properties.or_default("price", properties.price("price")?, || new_price)?,
            stock,
            stock_delta: stock_delta.into(),
        })
    }
}

impl PriceChanged {
    pub(crate) fn read(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        let product = ProductState::read(properties, EventType::PriceChanged)?;
        let old_price = properties.present("oldPrice", properties.price("oldPrice")?)?;
        let new_price = properties.price("newPrice")?;
        let new_price = properties.or_default("newPrice", new_price, || Some(product.price))?;
        Ok(Self { product, old_price, new_price })
    }
}
