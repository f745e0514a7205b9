//! A model of a shop in memory, with the events that it publishes.

use crate::projections::sample_events::event;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use shared_events::{
    AccountCreated, Event, Money, OrderCreated, OrderHeader, OrderLine, OrderRefunded, OrderStatus,
    OrderStatusUpdated, Payload, PriceChanged, ProductState, RefundItem, Topic, UserState,
    order_total,
};
use std::collections::{BTreeMap, BTreeSet};

/// A command. References to existing items are taken modulo their number.
#[derive(Clone, Debug)]
pub enum Command {
    CreateProduct {
        category: usize,
        price: u32,
        stock: Option<i32>,
    },
    ChangeProduct {
        product: usize,
        category: usize,
        stock: Option<i32>,
    },
    ChangePrice {
        product: usize,
        price: u32,
    },
    PlaceOrder {
        customer: i64,
        lines: Vec<(usize, i32, Option<u32>)>,
    },
    Move {
        order: usize,
        to: OrderStatus,
    },
    /// Cancels the unpaid orders, except for some of the newest.
    Expire {
        kept: usize,
    },
    /// Refunds up to this many units and this part of the amount left, in hundredths, of a line.
    Refund {
        order: usize,
        line: usize,
        units: i32,
        percent: u32,
    },
    CreateUser {
        name: u8,
    },
    UpdateUser {
        user: usize,
        name: u8,
    },
    OpenAccount {
        user: usize,
    },
}

const CATEGORIES: [&str; 3] = ["Tea", "tea", "Books"];

/// Any commands.
pub fn commands() -> impl Strategy<Value = Vec<Command>> {
    use Command::*;
    let stock = prop::option::of(0..20_i32);
    let line = (0..9_usize, 1..6_i32, prop::option::of(0..99_999_u32));
    let status = prop::sample::select(OrderStatus::ALL);
    let command = prop_oneof![
        2 => (0..3_usize, 0..99_999_u32, stock.clone())
            .prop_map(|(category, price, stock)| CreateProduct { category, price, stock }),
        2 => (0..9_usize, 0..3_usize, stock)
            .prop_map(|(product, category, stock)| ChangeProduct { product, category, stock }),
        1 => (0..9_usize, 0..99_999_u32)
            .prop_map(|(product, price)| ChangePrice { product, price }),
        6 => (1..6_i64, prop::collection::vec(line, 1..4))
            .prop_map(|(customer, lines)| PlaceOrder { customer, lines }),
        8 => (0..20_usize, status).prop_map(|(order, to)| Move { order, to }),
        1 => (0..6_usize).prop_map(|kept| Expire { kept }),
        4 => (0..20_usize, 0..4_usize, 0..6_i32, 0..101_u32)
            .prop_map(|(order, line, units, percent)| Refund { order, line, units, percent }),
        1 => any::<u8>().prop_map(|name| CreateUser { name }),
        1 => (0..4_usize, any::<u8>()).prop_map(|(user, name)| UpdateUser { user, name }),
        1 => (0..4_usize).prop_map(|user| OpenAccount { user }),
    ];
    prop::collection::vec(command, 1..80)
}

/// An order of the model.
#[derive(Debug)]
pub struct Order {
    pub id: i64,
    pub customer: i64,
    pub status: OrderStatus,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub ordered_at: DateTime<Utc>,
    /// What was refunded of each line.
    pub refunded: Vec<RefundItem>,
    pub reason: Option<String>,
}

/// A user of the model.
#[derive(Debug)]
pub struct User {
    pub state: UserState,
    pub account: Option<AccountCreated>,
    pub created_at: DateTime<Utc>,
}

/// A shop with the events that it published.
#[derive(Debug, Default)]
pub struct Shop {
    pub products: Vec<ProductState>,
    pub orders: Vec<Order>,
    pub users: Vec<User>,
    /// Every refund: the order, its items and the sum of the refunds of the order.
    pub refunds: Vec<(i64, Vec<RefundItem>, Money)>,
    pub accounts: i64,
    /// Every category that a product ever had.
    pub categories: BTreeSet<String>,
    pub events: Vec<Event>,
    /// The version of each aggregate.
    versions: BTreeMap<(Topic, i64), i64>,
}

impl Shop {
    /// The shop after these commands.
    pub fn after(commands: &[Command]) -> Self {
        let mut shop = Self::default();
        for command in commands {
            shop.execute(command);
        }
        shop
    }

    fn execute(&mut self, command: &Command) {
        match command {
            Command::CreateProduct { category, price, stock } => {
                let product_id = self.products.len() as i64 + 1;
                let state = ProductState {
                    product_id,
                    name: format!("Product {product_id}"),
                    category: CATEGORIES[*category].to_owned(),
                    price: cents(*price),
                    stock: *stock,
                    stock_delta: stock.unwrap_or(0).into(),
                };
                self.categories.insert(state.category.clone());
                self.products.push(state.clone());
                self.publish(Payload::ProductCreated(state));
            }
            Command::ChangeProduct { product, category, stock } => {
                let Some(product) = pick(&mut self.products, *product) else { return };
                let before = product.stock.unwrap_or(0);
                product.category = CATEGORIES[*category].to_owned();
                product.stock = *stock;
                product.stock_delta = (stock.unwrap_or(0) - before).into();
                let state = product.clone();
                self.categories.insert(state.category.clone());
                self.publish(Payload::ProductUpdated(state));
            }
            Command::ChangePrice { product, price } => {
                let Some(product) = pick(&mut self.products, *product) else { return };
                let old_price = std::mem::replace(&mut product.price, cents(*price));
                product.stock_delta = 0;
                let new_price = product.price;
                let change = PriceChanged { product: product.clone(), old_price, new_price };
                self.publish(Payload::PriceChanged(change));
            }
            Command::PlaceOrder { customer, lines } => self.place(*customer, lines),
            Command::Move { order, to } => {
                let reason = (*to == OrderStatus::Shipped).then_some("sent");
                self.advance(*order, *to, reason);
            }
            Command::Expire { kept } => {
                for order in 0..self.orders.len().saturating_sub(*kept) {
                    if self.orders[order].status == OrderStatus::Created {
                        self.advance(order, OrderStatus::Cancelled, Some("PAYMENT_TIMEOUT"));
                    }
                }
            }
            Command::Refund { order, line, units, percent } => {
                self.refund(*order, *line, *units, *percent);
            }
            Command::CreateUser { name } => {
                // The lower ids are customers without a user.
                let user_id = self.users.len() as i64 + 4;
                let state = user_state(user_id, *name);
                let created_at = self.publish(Payload::UserCreated(state.clone()));
                self.users.push(User { state, account: None, created_at });
            }
            Command::UpdateUser { user, name } => {
                let Some(user) = pick(&mut self.users, *user) else { return };
                user.state = user_state(user.state.user_id, *name);
                let state = user.state.clone();
                self.publish(Payload::UserUpdated(state));
            }
            Command::OpenAccount { user } => {
                let Some(user) = pick(&mut self.users, *user) else { return };
                self.accounts += 1;
                let account = AccountCreated {
                    account_id: self.accounts,
                    user_id: user.state.user_id,
                    address1: format!("{} Main Street", self.accounts),
                    city: "Springfield".to_owned(),
                    state: "IL".to_owned(),
                    zip: "62701".to_owned(),
                };
                user.account = Some(account.clone());
                self.publish(Payload::AccountCreated(account));
            }
        }
    }

    /// Places an order, unless a product has too little stock.
    fn place(&mut self, customer_id: i64, lines: &[(usize, i32, Option<u32>)]) {
        let mut items: Vec<OrderLine> = Vec::new();
        let mut left: BTreeMap<i64, i32> = BTreeMap::new();
        for (product, quantity, price) in lines {
            let Some(product) = pick(&mut self.products, *product) else { return };
            let stock_taken = if let Some(stock) = product.stock {
                let left = left.entry(product.product_id).or_insert(stock);
                *left -= quantity;
                if *left < 0 {
                    return;
                }
                *quantity
            } else {
                0
            };
            items.push(OrderLine {
                product_id: product.product_id,
                product_name: product.name.clone(),
                category: product.category.clone(),
                quantity: *quantity,
                price: price.map_or(product.price, cents),
                stock_taken: Some(stock_taken),
                stock_returned: None,
                refunded_quantity: None,
                refunded_amount: None,
            });
        }
        for product in &mut self.products {
            if let Some(left) = left.get(&product.product_id) {
                product.stock = Some(*left);
                *self.versions.entry((Topic::Products, product.product_id)).or_default() += 1;
            }
        }
        let order_id = self.orders.len() as i64 + 1;
        let total = order_total(&items).unwrap();
        let status = OrderStatus::Created;
        let header = OrderHeader::of_customer(customer_id);
        let payload = OrderCreated { order_id, header, status, items: items.clone(), total };
        let ordered_at = self.publish(Payload::OrderCreated(payload));
        self.orders.push(Order {
            id: order_id,
            customer: customer_id,
            status,
            refunded: items.iter().map(nothing_refunded).collect(),
            lines: items,
            total,
            ordered_at,
            reason: None,
        });
    }

    /// Changes the status of an order, if the lifecycle allows it.
    fn advance(&mut self, order: usize, new_status: OrderStatus, reason: Option<&str>) {
        let Some(order) = pick(&mut self.orders, order) else { return };
        let is_refunded = order.refunded.iter().any(|item| !item.is_empty());
        let is_allowed = order.status.successors().contains(&new_status)
            && !(is_refunded && new_status == OrderStatus::Cancelled);
        if !is_allowed {
            return;
        }
        let old_status = std::mem::replace(&mut order.status, new_status);
        if new_status == OrderStatus::Cancelled {
            for line in &mut order.lines {
                let product = &mut self.products[line.product_id as usize - 1];
                let returned = product.stock.map_or(0, |_| line.stock_taken());
                product.stock = product.stock.map(|stock| stock + returned);
                line.stock_returned = Some(returned);
            }
        }
        order.reason = reason.map(str::to_owned);
        let mut items = order.lines.clone();
        let mut refund_id = None;
        if new_status == OrderStatus::Refunded {
            for (line, refunded) in items.iter_mut().zip(&order.refunded) {
                line.refunded_quantity = Some(refunded.quantity).filter(|units| *units > 0);
                line.refunded_amount = Some(refunded.amount).filter(|amount| *amount > Money::ZERO);
            }
            let rest = order.rest();
            order.add(&rest);
            self.refunds.push((order.id, not_empty(rest), order.total));
            refund_id = Some(self.refunds.len() as i64);
        }
        let payload = OrderStatusUpdated {
            order_id: order.id,
            header: OrderHeader::of_customer(order.customer),
            old_status,
            new_status,
            ordered_at: order.ordered_at,
            items,
            total: order.total,
            reason: order.reason.clone(),
            refund_id,
        };
        self.publish(Payload::OrderStatusUpdated(payload));
    }

    /// Refunds a part of a line of a paid order, and returns the units to stock.
    fn refund(&mut self, order: usize, line: usize, units: i32, percent: u32) {
        let Some(order) = pick(&mut self.orders, order) else { return };
        if !matches!(
            order.status,
            OrderStatus::Paid | OrderStatus::Shipped | OrderStatus::Delivered
        ) {
            return;
        }
        let line = line % order.lines.len();
        let mut part: Vec<RefundItem> = order.lines.iter().map(nothing_refunded).collect();
        let left = order.rest().swap_remove(line);
        let quantity = units.min(left.quantity);
        let units_left = u128::try_from(left.amount.as_decimal().mantissa()).unwrap();
        let scale = 10_u128.pow(4 - left.amount.as_decimal().scale());
        let amount = Money::from_units(units_left * scale * u128::from(percent) / 100);
        let product = &mut self.products[order.lines[line].product_id as usize - 1];
        let taken = if order.lines[line].stock_taken() > 0 { quantity } else { 0 };
        let stock_returned = product.stock.map_or(0, |_| taken);
        product.stock = product.stock.map(|stock| stock + stock_returned);
        part[line] = RefundItem { quantity, amount, stock_returned, ..part[line].clone() };
        if part[line].is_empty() {
            return;
        }
        order.add(&part);
        let is_whole = order.rest().iter().all(RefundItem::is_empty);
        if is_whole {
            order.status = OrderStatus::Refunded;
        }
        order.reason = Some("scratched".to_owned());
        let items = if is_whole { part.clone() } else { not_empty(part.clone()) };
        self.refunds.push((order.id, not_empty(part), order.refunded_total()));
        let payload = OrderRefunded {
            refund_id: self.refunds.len() as i64,
            order_id: order.id,
            header: OrderHeader::of_customer(order.customer),
            ordered_at: order.ordered_at,
            items,
            amount,
            refunded_total: order.refunded_total(),
            status: order.status,
            reason: order.reason.clone(),
        };
        self.publish(Payload::OrderRefunded(payload));
    }

    /// Publishes an event with the next version, half an hour after the previous one. Every
    /// third event is by a service whose clock is five hours behind.
    fn publish(&mut self, payload: Payload) -> DateTime<Utc> {
        let version = self.versions.entry((payload.topic(), payload.aggregate_id())).or_default();
        *version += 1;
        let number = self.events.len() as i64;
        let skew = if number % 3 == 2 { 5 * 3600 } else { 0 };
        let event = event(*version, number * 1800 - skew, payload);
        let time = event.envelope.timestamp;
        self.events.push(event);
        time
    }
}

impl Order {
    /// What is left of each line after the refunds.
    fn rest(&self) -> Vec<RefundItem> {
        let rest = |(line, refunded): (&OrderLine, &RefundItem)| RefundItem {
            quantity: line.quantity - refunded.quantity,
            amount: line.amount().unwrap().checked_sub(refunded.amount).unwrap(),
            ..nothing_refunded(line)
        };
        self.lines.iter().zip(&self.refunded).map(rest).collect()
    }

    fn add(&mut self, refund: &[RefundItem]) {
        for (sum, part) in self.refunded.iter_mut().zip(refund) {
            sum.quantity += part.quantity;
            sum.amount = sum.amount.checked_add(part.amount).unwrap();
            sum.stock_returned += part.stock_returned;
        }
    }

    /// Sum of the refunds.
    pub fn refunded_total(&self) -> Money {
        let amounts = self.refunded.iter().map(|item| item.amount);
        amounts.fold(Money::ZERO, |sum, amount| sum.checked_add(amount).unwrap())
    }
}

fn nothing_refunded(line: &OrderLine) -> RefundItem {
    RefundItem {
        product_id: line.product_id,
        product_name: line.product_name.clone(),
        category: line.category.clone(),
        quantity: 0,
        amount: Money::ZERO,
        stock_returned: 0,
    }
}

fn not_empty(mut items: Vec<RefundItem>) -> Vec<RefundItem> {
    items.retain(|item| !item.is_empty());
    items
}

fn pick<T>(all: &mut [T], number: usize) -> Option<&mut T> {
    let number = number.checked_rem(all.len())?;
    all.get_mut(number)
}

fn cents(cents: u32) -> Money {
    Money::from_units(u128::from(cents) * 100)
}

fn user_state(user_id: i64, name: u8) -> UserState {
    UserState { user_id, name: format!("User {name}"), email: format!("{name}@example.com") }
}
