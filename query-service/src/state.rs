//! The state of the handlers.

use crate::database::Lists;
use crate::lookup::Lookup;
use crate::views::category_metrics::{self, CategoryRevenue};
use crate::views::customer_ltv::{self, LifetimeValue};
use crate::views::orders;
use crate::views::product_sales::{self, ProductSales};
use crate::views::products::{self, Product};
use crate::views::users::{self, User};
use axum::extract::FromRef;
use sqlx::PgPool;
use std::sync::Arc;

/// The parts that handlers extract, by their types. They are shared, because the router clones the
/// state several times per request.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Parts>);

macro_rules! parts {
    ($($(#[$meta:meta])* $field:ident: $part:ty,)+) => {
        #[derive(Debug)]
        struct Parts {
            $($(#[$meta])* $field: $part,)+
        }

        $(impl FromRef<AppState> for $part {
            fn from_ref(state: &AppState) -> Self {
                state.0.$field.clone()
            }
        })+
    };
}

parts! {
    pool: PgPool,
    lists: Lists,
    product_sales: Lookup<i64, ProductSales>,
    /// By the requested name, which may differ in case from the names found.
    categories: Lookup<String, CategoryRevenue>,
    lifetime_values: Lookup<i64, LifetimeValue>,
    products: Lookup<i64, Product>,
    orders: Lookup<i64, orders::Row>,
    users: Lookup<i64, User>,
}

impl AppState {
    /// Uses one pool for lists and one for all other queries.
    pub fn new(pool: &PgPool, lists: Lists) -> Self {
        Self(Arc::new(Parts {
            pool: pool.clone(),
            lists,
            product_sales: Lookup::new(pool, product_sales::find),
            categories: Lookup::new(pool, category_metrics::find),
            lifetime_values: Lookup::new(pool, customer_ltv::find),
            products: Lookup::new(pool, products::find),
            orders: Lookup::new(pool, orders::find),
            users: Lookup::new(pool, users::find),
        }))
    }
}
