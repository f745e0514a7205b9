//! Resources with an id in the path.

use crate::lookup::Lookup;
use service_runtime::openapi::invalid_id;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;

/// A kind of resource, with the texts of its refusals.
#[derive(Debug)]
pub struct Resource {
    name: &'static str,
    invalid_id: &'static str,
    not_found: &'static str,
}

pub const CUSTOMER: Resource =
    Resource::new("customer", "Invalid customer id", "Customer not found");
pub const ORDER: Resource = Resource::new("order", "Invalid order id", "Order not found");
pub const PRODUCT: Resource = Resource::new("product", "Invalid product id", "Product not found");
pub const USER: Resource = Resource::new("user", "Invalid user id", "User not found");

refusals! {
    pub NoCustomer: invalid_id(CUSTOMER.invalid_id), CUSTOMER.not_found(1);
    pub NoOrder: invalid_id(ORDER.invalid_id), ORDER.not_found(1);
    pub NoProduct: invalid_id(PRODUCT.invalid_id), PRODUCT.not_found(1);
    pub NoUser: invalid_id(USER.invalid_id), USER.not_found(1);
}

impl Resource {
    const fn new(name: &'static str, invalid_id: &'static str, not_found: &'static str) -> Self {
        Self { name, invalid_id, not_found }
    }

    /// The row of the resource with the id in the path.
    ///
    /// # Errors
    /// 400 if the id is invalid, 404 if no event has named the resource.
    pub async fn look_up<V: Clone + Send + 'static>(
        &self,
        rows: &Lookup<i64, V>,
        id: &Segment,
    ) -> Result<V, Problem> {
        let id = id.id(self.invalid_id)?;
        rows.get(id).await?.ok_or_else(|| self.not_found(id))
    }

    fn not_found(&self, id: i64) -> Problem {
        Problem::not_found(self.not_found)
            .detail(format!("No event about {} {id} has been applied.", self.name))
    }
}
