//! What the document says of products, beside handlers and types.

use super::rules::{INVALID, ProductChange};
use service_runtime::openapi::AtLeastOne;
use service_runtime::problem::Problem;
use service_runtime::refusals;

/// Groups of operations.
pub const TAG: &str = "Products";

/// A change that names something.
pub type SomeProductChange = AtLeastOne<ProductChange>;

refusals! {
    /// Why no product is created.
    pub NotCreated: invalid()
}

refusals! {
    /// Why a product is not changed.
    pub NotChanged:
        invalid(),
        Problem::not_found("Product not found").detail("There is no such product."),
}

fn invalid() -> Problem {
    Problem::bad_request(INVALID)
        .detail("The body is no JSON object, or a member or the id is wrong; see `errors`.")
}

#[cfg(test)]
mod tests {
    use super::super::rules::{NewProduct, PriceChange};
    use super::*;
    use crate::openapi::checks::body_is_as_documented;

    #[test]
    fn bodies_are_as_documented() {
        body_is_as_documented::<NewProduct, _>(NewProduct::read);
        body_is_as_documented::<SomeProductChange, _>(ProductChange::read);
        body_is_as_documented::<PriceChange, _>(ProductChange::read_price);
    }
}
