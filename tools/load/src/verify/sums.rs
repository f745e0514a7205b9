//! Every sum of the views: each product's, category's and customer's.

use super::answers::{CategoryAnswer, LifetimeAnswer, SalesAnswer};
use super::reading::read;
use super::{Verification, Verified};
use crate::expected::{Sales, Spending};
use crate::findings::Verdict;
use crate::plan::Plan;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeSet;

impl Verification<'_> {
    /// Compares all sums.
    pub(super) async fn sums(&self, verified: &mut Verified) -> anyhow::Result<()> {
        let products = self.created.products.len();
        self.each("products' sales", products, verified, async |connection, place| {
            let id = self.created.product_id(place as u32);
            let path = format!("/api/analytics/products/{id}/sales");
            let shown = read(connection, &path).await?;
            Ok(self.check_sales(id, place, shown.as_ref()))
        })
        .await?;
        let categories = self.categories();
        self.each("categories' revenue", categories.len(), verified, async |connection, place| {
            let number = categories.get(place).copied().unwrap_or(Plan::CATEGORIES);
            let path = format!("/api/analytics/categories/{}/revenue", self.encoded(number));
            let shown = read(connection, &path).await?;
            Ok(self.check_category(number, shown.as_ref()))
        })
        .await?;
        let customers = self.created.customers.len();
        self.each("customers' lifetime value", customers, verified, async |connection, place| {
            let id = self.created.customer_id(place as u32);
            let path = format!("/api/analytics/customers/{id}/lifetime-value");
            let shown = read(connection, &path).await?;
            Ok(self.check_spending(id, place, shown.as_ref()))
        })
        .await
    }

    /// The numbers of the categories that have products.
    pub(super) fn categories(&self) -> Vec<usize> {
        let products = self.created.products.iter();
        let numbers: BTreeSet<usize> =
            products.map(|member| self.plan.terms(member.index).category).collect();
        numbers.into_iter().collect()
    }

    /// The name of a category, percent-encoded.
    pub(super) fn encoded(&self, category: usize) -> String {
        utf8_percent_encode(&self.plan.category_name(category), NON_ALPHANUMERIC).to_string()
    }

    pub(super) fn check_sales(
        &self,
        id: i64,
        place: usize,
        shown: Option<&SalesAnswer>,
    ) -> Verdict {
        let verdict = Verdict::about(format!("product {id}"));
        let Some(shown) = shown else { return verdict.wrong("is not there".to_owned()) };
        let sales = Sales {
            pieces: shown.total_quantity_sold,
            revenue: shown.total_revenue,
            orders: shown.order_count,
        };
        let (sure, doubtful) = (at(&self.sure.products, place), at(&self.doubtful.products, place));
        verdict
            .member("productId", &shown.product_id, &id)
            .member("totalQuantitySold", &sales.pieces, &sure.pieces)
            .member("totalRevenue", &sales.revenue, &sure.revenue)
            .member("totalSales", &shown.total_sales, &sales.revenue)
            .member("orderCount", &sales.orders, &sure.orders)
            .could_be_doubt(
                sure.explains(&doubtful, &sales)
                    && shown.product_id == id
                    && shown.total_sales == sales.revenue,
            )
    }

    fn check_category(&self, number: usize, shown: Option<&CategoryAnswer>) -> Verdict {
        let name = self.plan.category_name(number);
        let verdict = Verdict::about(format!("category {name:?}"));
        let Some(shown) = shown else { return verdict.wrong("is not there".to_owned()) };
        let sure = at(&self.sure.categories, number);
        let doubtful = at(&self.doubtful.categories, number);
        // Pieces are not shown.
        let sales =
            Sales { pieces: sure.pieces, revenue: shown.total_revenue, orders: shown.total_orders };
        verdict
            .member("category", &shown.category, &name)
            .member("totalRevenue", &sales.revenue, &sure.revenue)
            .member("totalOrders", &sales.orders, &sure.orders)
            .could_be_doubt(sure.explains(&doubtful, &sales) && shown.category == name)
    }

    pub(super) fn check_spending(
        &self,
        id: i64,
        place: usize,
        shown: Option<&LifetimeAnswer>,
    ) -> Verdict {
        let sure = at(&self.sure.customers, place);
        let doubtful = at(&self.doubtful.customers, place);
        let verdict = Verdict::about(format!("customer {id}"));
        let Some(shown) = shown else {
            // A bare customer comes into being with the first order.
            let is_expected = !self.created.are_users && sure.orders == 0;
            return if is_expected { verdict } else { verdict.wrong("is not there".to_owned()) };
        };
        let spending = Spending {
            spent: shown.total_spent,
            orders: shown.order_count,
            last_order: shown.last_order_date,
        };
        verdict
            .member("customerId", &shown.customer_id, &id)
            .member("totalSpent", &spending.spent, &sure.spent)
            .member("orderCount", &spending.orders, &sure.orders)
            .optional("lastOrderDate", spending.last_order.as_ref(), sure.last_order.as_ref())
            .could_be_doubt(
                doubtful.orders > 0
                    && sure.explains(&doubtful, &spending)
                    && shown.customer_id == id,
            )
    }
}

/// The sum at that place; that over nothing if there is none.
fn at<T: Copy + Default>(sums: &[T], place: usize) -> T {
    sums.get(place).copied().unwrap_or_default()
}
