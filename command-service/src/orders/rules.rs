//! Who gets what: decided in memory, over products as they were read.

use super::place::{INVALID, PlaceOrder};
use crate::metrics::OrderRefusal;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use service_runtime::problem::Problem;
use shared_events::{Money, OrderLine, order_total};
use std::collections::BTreeMap;

/// What to do with prices that are not the catalogue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PricePolicy {
    /// The customer negotiated it.
    Accept,
    /// Refuse it.
    Catalogue,
}

/// A product that orders of the batch name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    pub name: String,
    pub category: String,
    pub price: Money,
    /// Pieces left; none: not tracked.
    pub stock: Option<i32>,
    /// The row's version.
    pub version: i64,
    /// When the product was created.
    pub created_at: DateTime<Utc>,
    /// Pieces that orders of the batch have taken.
    pub taken: i32,
}

impl Shelf {
    /// The product as it stands once what was taken has been written.
    #[must_use]
    pub fn sold(self) -> Self {
        Self { version: self.version + i64::from(self.taken > 0), taken: 0, ..self }
    }
}

/// The products that orders of the batch name, as far as they exist.
pub type Shelves = BTreeMap<i64, Shelf>;

/// What an accepted order comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub lines: Vec<OrderLine>,
    pub total: Money,
}

/// Why an order is refused. Nothing was taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    ProductNotFound { product_id: i64 },
    InsufficientStock { product_id: i64, wanted: i64, left: i32 },
    PriceDiffers { product_id: i64, given: Money, catalogue: Money },
    TotalTooLarge,
}

/// Accepts an order and takes its pieces off the shelves, or refuses it and
/// leaves them as they are.
///
/// # Errors
/// The refusal.
pub fn decide(
    order: &PlaceOrder,
    shelves: &mut Shelves,
    policy: PricePolicy,
) -> Result<Accepted, Refusal> {
    let lines = price_lines(order, shelves, policy)?;
    let total = order_total(&lines).ok_or(Refusal::TotalTooLarge)?;
    let wanted = wanted_pieces(order);
    for (&product_id, &wanted) in &wanted {
        match shelves.get(&product_id).and_then(|shelf| shelf.stock) {
            Some(left) if i64::from(left) < wanted => {
                return Err(Refusal::InsufficientStock { product_id, wanted, left });
            }
            _ => {}
        }
    }
    for line in &lines {
        if let Some(shelf) = shelves.get_mut(&line.product_id) {
            shelf.stock = shelf.stock.map(|stock| stock - line.stock_taken());
            shelf.taken += line.stock_taken();
        }
    }
    Ok(Accepted { lines, total })
}

/// The lines with the products' names, categories and prices of now.
fn price_lines(
    order: &PlaceOrder,
    shelves: &Shelves,
    policy: PricePolicy,
) -> Result<Vec<OrderLine>, Refusal> {
    order
        .lines
        .iter()
        .map(|line| {
            let product_id = line.product_id;
            let shelf = shelves.get(&product_id).ok_or(Refusal::ProductNotFound { product_id })?;
            let price = line.price.unwrap_or(shelf.price);
            if price != shelf.price && policy == PricePolicy::Catalogue {
                let catalogue = shelf.price;
                return Err(Refusal::PriceDiffers { product_id, given: price, catalogue });
            }
            Ok(OrderLine {
                product_id,
                product_name: shelf.name.clone(),
                category: shelf.category.clone(),
                quantity: line.quantity,
                price,
                stock_taken: Some(if shelf.stock.is_some() { line.quantity } else { 0 }),
                stock_returned: None,
            })
        })
        .collect()
}

/// Pieces per product over all lines.
fn wanted_pieces(order: &PlaceOrder) -> BTreeMap<i64, i64> {
    let mut wanted = BTreeMap::new();
    for line in &order.lines {
        *wanted.entry(line.product_id).or_default() += i64::from(line.quantity);
    }
    wanted
}

impl Refusal {
    /// The reason, as a metric has it.
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
    use super::super::place::Line;
    use super::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    fn shelves(stocks: &[(i64, Option<i32>)]) -> Shelves {
        let shelf = |stock| Shelf {
            name: "Tea".to_owned(),
            category: "Food".to_owned(),
            price: money("2.5"),
            stock,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            taken: 0,
        };
        stocks.iter().map(|&(id, stock)| (id, shelf(stock))).collect()
    }

    fn order(lines: &[(i64, i32, Option<&str>)]) -> PlaceOrder {
        let lines = lines
            .iter()
            .map(|&(product_id, quantity, price)| Line {
                product_id,
                quantity,
                price: price.map(money),
            })
            .collect();
        PlaceOrder { customer_id: 1, lines }
    }

    #[test]
    fn the_total_is_the_sum_of_the_lines_at_given_or_catalogue_prices() {
        let mut shelves = shelves(&[(1, Some(9)), (2, None)]);
        let order = order(&[(1, 2, None), (2, 3, Some("0.1"))]);
        let accepted = decide(&order, &mut shelves, PricePolicy::Accept).unwrap();
        assert_eq!(accepted.total, money("5.3"));
        assert_eq!((shelves[&1].stock, shelves[&1].taken), (Some(7), 2));
        assert_eq!((shelves[&2].stock, shelves[&2].taken), (None, 0));
    }

    #[test]
    fn lines_for_one_product_are_checked_together() {
        let mut shelves = shelves(&[(1, Some(3))]);
        let before = shelves.clone();
        let refused =
            decide(&order(&[(1, 2, None), (1, 2, None)]), &mut shelves, PricePolicy::Accept);
        assert_eq!(refused, Err(Refusal::InsufficientStock { product_id: 1, wanted: 4, left: 3 }));
        assert_eq!(shelves, before);
    }

    #[test]
    fn the_first_to_arrive_gets_the_last_piece() {
        let mut shelves = shelves(&[(1, Some(1))]);
        let one = order(&[(1, 1, None)]);
        assert!(decide(&one, &mut shelves, PricePolicy::Accept).is_ok());
        assert!(decide(&one, &mut shelves, PricePolicy::Accept).is_err());
        assert_eq!(shelves[&1].stock, Some(0));
    }

    #[test]
    fn what_was_taken_raises_the_version_once() {
        let mut shelves = shelves(&[(1, Some(9)), (2, None)]);
        for _ in 0..2 {
            decide(&order(&[(1, 2, None), (2, 3, None)]), &mut shelves, PricePolicy::Accept)
                .unwrap();
        }
        let sold = shelves[&1].clone().sold();
        assert_eq!((sold.stock, sold.version, sold.taken), (Some(5), 2, 0));
        assert_eq!(shelves[&2].clone().sold().version, 1);
    }

    #[test]
    fn a_refused_order_takes_nothing_from_any_shelf() {
        let mut shelves = shelves(&[(1, Some(5)), (2, Some(0))]);
        let before = shelves.clone();
        for lines in [&[(1, 1, None), (2, 1, None)][..], &[(1, 1, None), (3, 1, None)]] {
            assert!(decide(&order(lines), &mut shelves, PricePolicy::Accept).is_err());
            assert_eq!(shelves, before);
        }
    }

    #[test]
    fn prices_off_the_catalogue_are_refused_by_that_policy_alone() {
        let mut shelves = shelves(&[(1, None)]);
        let cheaper = order(&[(1, 1, Some("2.4"))]);
        let same = order(&[(1, 1, Some("2.50"))]);
        assert!(decide(&cheaper, &mut shelves, PricePolicy::Accept).is_ok());
        assert!(decide(&cheaper, &mut shelves, PricePolicy::Catalogue).is_err());
        assert!(decide(&same, &mut shelves, PricePolicy::Catalogue).is_ok());
    }

    #[test]
    fn totals_beyond_what_can_be_stored_are_refused() {
        let mut shelves = shelves(&[(1, None)]);
        let huge = order(&[(1, i32::MAX, Some("999999999999"))]);
        let refused = decide(&huge, &mut shelves, PricePolicy::Accept);
        assert_eq!(refused, Err(Refusal::TotalTooLarge));
    }
}
