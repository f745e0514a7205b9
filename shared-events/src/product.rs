//! What happens to products.

use crate::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, is_name};
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
        let stock_fits = self.stock.is_none_or(|stock| stock >= 0);
        let delta_fits = i32::try_from(self.stock_delta.unsigned_abs()).is_ok();
        if self.product_id < 1 {
            Err(DecodeError::Member("productId must be at least 1"))
        } else if !is_name(&self.name, MAX_NAME_CHARS) {
            Err(DecodeError::Member("name is blank, too long or has control characters"))
        } else if !is_name(&self.category, MAX_CATEGORY_CHARS) {
            Err(DecodeError::Member("category is blank, too long or has control characters"))
        } else if !self.price.is_price() {
            Err(DecodeError::Member("price is negative or too large"))
        } else if !stock_fits || !delta_fits {
            Err(DecodeError::Member("stock or stockDelta is out of range"))
        } else {
            Ok(self)
        }
    }
}
