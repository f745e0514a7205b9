//! Accepts or refuses orders, in memory, by snapshots of their products.

use super::place::{INVALID, Line};
use crate::metrics::OrderRefusal;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use service_runtime::problem::Problem;
use shared_events::{Money, OrderLine, order_total};
use std::collections::BTreeMap;

/// How to handle prices that differ from the catalogue price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PricePolicy {
    /// Accept them as negotiated.
    Accept,
    /// Refuse them.
    Catalogue,
}

/// A product of a batch of orders, as read from the database or the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductSnapshot {
    pub name: String,
    pub category: String,
    pub price: Money,
    /// Units left; none if the stock is not tracked.
    pub stock: Option<i32>,
    /// The row's version.
    pub version: i64,
    /// When the product was created.
    pub created_at: DateTime<Utc>,
    /// Units taken by orders of the batch.
    pub taken: i32,
}

impl ProductSnapshot {
    /// The product after the batch has been written.
    #[must_use]
    pub fn sold(self) -> Self {
        Self { version: self.version + i64::from(self.taken > 0), taken: 0, ..self }
    }
}

/// The products of a batch of orders that exist, by id.
pub type ProductSnapshots = BTreeMap<i64, ProductSnapshot>;

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    ProductNotFound { product_id: i64 },
    InsufficientStock { product_id: i64, wanted: i64, left: i32 },
    PriceDiffers { product_id: i64, given: Money, catalogue: Money },
    TotalTooLarge,
}

/// Accepts an order and takes its units from the products, or refuses it and leaves the
/// products unchanged. Returns the lines and the total.
///
/// # Errors
/// The refusal.
pub fn decide(
    lines: &[Line],
    products: &mut ProductSnapshots,
    policy: PricePolicy,
) -> Result<(Vec<OrderLine>, Money), Refusal> {
    let lines = price_lines(lines, products, policy)?;
    let total = order_total(&lines).ok_or(Refusal::TotalTooLarge)?;
    // Several lines can have the same product.
    let mut wanted = BTreeMap::<i64, i64>::new();
    for line in &lines {
        *wanted.entry(line.product_id).or_default() += i64::from(line.quantity);
    }
    for (product_id, wanted) in wanted {
        if let Some(left) = products.get(&product_id).and_then(|product| product.stock)
            && i64::from(left) < wanted
        {
            return Err(Refusal::InsufficientStock { product_id, wanted, left });
        }
    }
    for line in &lines {
        if let Some(product) = products.get_mut(&line.product_id) {
            product.stock = product.stock.map(|stock| stock - line.stock_taken());
            product.taken += line.stock_taken();
        }
    }
    Ok((lines, total))
}

/// The lines, with the current names, categories and prices of the products.
fn price_lines(
    lines: &[Line],
    products: &ProductSnapshots,
    policy: PricePolicy,
) -> Result<Vec<OrderLine>, Refusal> {
    lines
        .iter()
        .map(|line| {
            let product_id = line.product_id;
            let product =
                products.get(&product_id).ok_or(Refusal::ProductNotFound { product_id })?;
            let price = line.price.unwrap_or(product.price);
            if price != product.price && policy == PricePolicy::Catalogue {
                let catalogue = product.price;
                return Err(Refusal::PriceDiffers { product_id, given: price, catalogue });
            }
            Ok(OrderLine {
                product_id,
                product_name: product.name.clone(),
                category: product.category.clone(),
                quantity: line.quantity,
                price,
                stock_taken: Some(if product.stock.is_some() { line.quantity } else { 0 }),
                stock_returned: None,
                refunded_quantity: None,
                refunded_amount: None,
            })
        })
        .collect()
}

impl Refusal {
    /// The reason in metrics.
    pub const fn reason(&self) -> OrderRefusal {
        match self {
            Self::ProductNotFound { .. } => OrderRefusal::ProductNotFound,
            Self::InsufficientStock { .. } => OrderRefusal::InsufficientStock,
            Self::PriceDiffers { .. } => OrderRefusal::PriceDiffers,
            Self::TotalTooLarge => OrderRefusal::TotalTooLarge,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ProductNotFound { product_id } => Self::bad_request("Product not found")
                .detail(format!("There is no product {product_id}. Nothing was ordered.")),
            Refusal::InsufficientStock { product_id, wanted, left } => {
                Self::bad_request("Insufficient stock").detail(format!(
                    "Product {product_id} has {left} in stock, {wanted} were asked for. \
                     Nothing was ordered."
                ))
            }
            Refusal::PriceDiffers { product_id, given, catalogue } => {
                Self::new(StatusCode::CONFLICT, "Price differs from the catalogue").detail(format!(
                    "Product {product_id} costs {catalogue}, not {given}. Nothing was ordered."
                ))
            }
            Refusal::TotalTooLarge => {
                Self::bad_request(INVALID).detail("The order's total is too large to be stored.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn products(stocks: &[(i64, Option<i32>)]) -> ProductSnapshots {
        let product = |stock| ProductSnapshot {
            name: "Tea".to_owned(),
            category: "Food".to_owned(),
            price: money("2.5"),
            stock,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            taken: 0,
        };
        stocks.iter().map(|&(id, stock)| (id, product(stock))).collect()
    }

    fn order(lines: &[(i64, i32, Option<&str>)]) -> Vec<Line> {
        let line = |&(product_id, quantity, price): &(i64, i32, Option<&str>)| Line {
            product_id,
            quantity,
            price: price.map(money),
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn the_total_is_the_sum_of_lines_at_given_or_catalogue_prices() {
        let mut products = products(&[(1, Some(9)), (2, None)]);
        let order = order(&[(1, 2, None), (2, 3, Some("0.1"))]);
        let (_, total) = decide(&order, &mut products, PricePolicy::Accept).unwrap();
        assert_eq!(total, money("5.3"));
        assert_eq!((products[&1].stock, products[&1].taken), (Some(7), 2));
        assert_eq!((products[&2].stock, products[&2].taken), (None, 0));
    }

    #[test]
    fn lines_for_one_product_are_checked_together() {
        let mut products = products(&[(1, Some(3))]);
        let before = products.clone();
        let refused =
            decide(&order(&[(1, 2, None), (1, 2, None)]), &mut products, PricePolicy::Accept);
        assert_eq!(refused, Err(Refusal::InsufficientStock { product_id: 1, wanted: 4, left: 3 }));
        assert_eq!(products, before);
    }

    #[test]
    fn the_first_order_gets_the_last_unit() {
        let mut products = products(&[(1, Some(1))]);
        let one = order(&[(1, 1, None)]);
        assert!(decide(&one, &mut products, PricePolicy::Accept).is_ok());
        assert!(decide(&one, &mut products, PricePolicy::Accept).is_err());
        assert_eq!(products[&1].stock, Some(0));
    }

    #[test]
    fn a_batch_raises_the_version_of_a_sold_product_once() {
        let mut products = products(&[(1, Some(9)), (2, None)]);
        for _ in 0..2 {
            decide(&order(&[(1, 2, None), (2, 3, None)]), &mut products, PricePolicy::Accept)
                .unwrap();
        }
        let sold = products[&1].clone().sold();
        assert_eq!((sold.stock, sold.version, sold.taken), (Some(5), 2, 0));
        assert_eq!(products[&2].clone().sold().version, 1);
    }

    #[test]
    fn a_refused_order_changes_no_product() {
        let mut products = products(&[(1, Some(5)), (2, Some(0))]);
        let before = products.clone();
        for lines in [&[(1, 1, None), (2, 1, None)][..], &[(1, 1, None), (3, 1, None)]] {
            assert!(decide(&order(lines), &mut products, PricePolicy::Accept).is_err());
            assert_eq!(products, before);
        }
    }

    #[test]
    fn only_the_catalogue_policy_refuses_other_prices() {
        let mut products = products(&[(1, None)]);
        let cheaper = order(&[(1, 1, Some("2.4"))]);
        let same = order(&[(1, 1, Some("2.50"))]);
        assert!(decide(&cheaper, &mut products, PricePolicy::Accept).is_ok());
        assert!(decide(&cheaper, &mut products, PricePolicy::Catalogue).is_err());
        assert!(decide(&same, &mut products, PricePolicy::Catalogue).is_ok());
    }

    #[test]
    fn a_total_above_the_limit_is_refused() {
        let mut products = products(&[(1, None)]);
        let huge = order(&[(1, i32::MAX, Some("999999999999"))]);
        let refused = decide(&huge, &mut products, PricePolicy::Accept);
        assert_eq!(refused, Err(Refusal::TotalTooLarge));
    }
}
