//! Events about products.

use crate::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS};
use crate::properties::{Properties, check_name};
use crate::{DecodeError, EventType, Money};
use serde::{Deserialize, Serialize};

/// Payload of `ProductCreated` and `ProductUpdated`: the full state after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Payload of `PriceChanged`: the full state after the change, and both prices. The parts are
/// read separately, because serde reads numbers of flattened structs through binary floats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceChanged {
    /// The state after the change.
    #[serde(flatten)]
    pub product: ProductState,
    /// Both prices.
    #[serde(flatten)]
    pub prices: PriceStep,
}

/// A price before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceStep {
    /// Price before the change.
    pub old_price: Money,
    /// Price after the change.
    pub new_price: Money,
}

impl ProductState {
    /// Reads the payload of one of our own events.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice::<Self>(json)?.check()
    }

    /// Reads the payload of an external event.
    pub(crate) fn from_properties(
        properties: &Properties<'_>,
        event_type: EventType,
    ) -> Result<Self, DecodeError> {
        let is_new = event_type == EventType::ProductCreated;
        if !is_new && !properties.has("stock") {
            return Err(properties.refuse("stock", "is required: null if it is not tracked"));
        }
        let stock = properties.small("stock", 0, i32::MAX)?;
        let stock_delta = match properties.small("stockDelta", -i32::MAX, i32::MAX)? {
            Some(delta) => delta,
            None if is_new && !properties.strict => stock.unwrap_or(0),
            // A price change does not change the stock.
            None if event_type == EventType::PriceChanged && !properties.strict => 0,
            None => return Err(properties.refuse("stockDelta", "is required")),
        };
        let price = match properties.json("price")? {
            None if event_type == EventType::PriceChanged => properties.price("newPrice")?,
            _ => properties.price("price")?,
        };
        Ok(Self {
            product_id: properties.id("productId")?,
            name: properties.required_name("name", MAX_NAME_CHARS)?,
            category: properties.required_name("category", MAX_CATEGORY_CHARS)?,
            price,
            stock,
            stock_delta: stock_delta.into(),
        })
    }

    /// Checks the constraints that types do not express.
    fn check(self) -> Result<Self, DecodeError> {
        let refused = |name, problem| Err(DecodeError::property(name, problem));
        if self.product_id < 1 {
            return refused("productId", "must be at least 1");
        }
        check_name(&self.name, MAX_NAME_CHARS)
            .map_err(|problem| DecodeError::property("name", problem))?;
        check_name(&self.category, MAX_CATEGORY_CHARS)
            .map_err(|problem| DecodeError::property("category", problem))?;
        if !self.price.is_price() {
            refused("price", "must be from 0 to 999999999999.9999")
        } else if self.stock.is_some_and(|stock| stock < 0) {
            refused("stock", "must be at least 0")
        } else if i32::try_from(self.stock_delta.unsigned_abs()).is_err() {
            refused("stockDelta", "is out of range")
        } else {
            Ok(self)
        }
    }
}

impl PriceChanged {
    /// Reads the payload of one of our own events.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { product: ProductState::read(json)?, prices: serde_json::from_slice(json)? })
    }

    /// Reads the prices of an external event.
    pub(crate) fn from_properties(
        properties: &Properties<'_>,
        product: ProductState,
    ) -> Result<Self, DecodeError> {
        let old_price = properties.price("oldPrice")?;
        let new_price = match properties.json("newPrice")? {
            Some(_) => properties.price("newPrice")?,
            None => product.price,
        };
        Ok(Self { product, prices: PriceStep { old_price, new_price } })
    }
}
