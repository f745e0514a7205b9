//! What happens to products.

use crate::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS};
use crate::properties::check_name;
use crate::{DecodeError, Money};
use serde::{Deserialize, Serialize};

/// Payload of `ProductCreated` and `ProductUpdated`: the full state after the
/// change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductState {
    /// The product.
    pub product_id: i64,
    /// Its name.
    pub name: String,
    /// Its category.
    pub category: String,
    /// Its catalogue price.
    pub price: Money,
    /// Pieces in stock after the change; none if stock is not tracked. It
    /// informs; sums are made from `stock_delta`.
    pub stock: Option<i32>,
    /// What the change added to the stock, where untracked counts as zero.
    pub stock_delta: i64,
}

/// Payload of `PriceChanged`: the full state after the change, and both prices.
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
    /// Before the change.
    pub old_price: Money,
    /// After it.
    pub new_price: Money,
}

impl ProductState {
    /// Checks what types do not say.
    pub(crate) fn check(self) -> Result<Self, DecodeError> {
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
