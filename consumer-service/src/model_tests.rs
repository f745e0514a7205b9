//! The projections against a plain model: whatever commands a shop is given,
//! and in whatever order and however often its events come, the views show what
//! the shop's books say.

use crate::apply::apply;
use crate::apply_tests::{clear, ours};
use crate::incoming::Incoming;
use crate::projections::samples::event;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use shared_events::{
    AccountCreated, Event, Money, OrderCreated, OrderLine, OrderStatus, OrderStatusUpdated,
    Payload, PriceChanged, PriceStep, ProductState, Topic, UserState, order_total,
};
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// What a shop may be told to do. Numbers that name something are taken modulo
/// how many there are.
#[derive(Clone, Debug)]
enum Command {
    CreateProduct { category: usize, price: u32, stock: Option<i32> },
    ChangeProduct { product: usize, category: usize, stock: Option<i32> },
    ChangePrice { product: usize, price: u32 },
    PlaceOrder { customer: i64, lines: Vec<(usize, i32, Option<u32>)> },
    Move { order: usize, to: OrderStatus },
    CreateUser { name: u8 },
    UpdateUser { user: usize, name: u8 },
    OpenAccount { user: usize },
}

const CATEGORIES: [&str; 3] = ["Tea", "tea", "Books"];

fn commands() -> impl Strategy<Value = Vec<Command>> {
    use Command::*;
    let stock = prop::option::of(0..20_i32);
    let line = (0..9_usize, 1..6_i32, prop::option::of(0..99_999_u32));
    let status = prop::sample::select(&OrderStatus::ALL[..]);
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
        1 => any::<u8>().prop_map(|name| CreateUser { name }),
        1 => (0..4_usize, any::<u8>()).prop_map(|(user, name)| UpdateUser { user, name }),
        1 => (0..4_usize).prop_map(|user| OpenAccount { user }),
    ];
    prop::collection::vec(command, 1..80)
}

#[derive(Debug)]
struct Product {
    state: ProductState,
    version: i64,
}

#[derive(Debug)]
struct Order {
    id: i64,
    customer: i64,
    status: OrderStatus,
    version: i64,
    lines: Vec<OrderLine>,
    total: Money,
    ordered_at: DateTime<Utc>,
}

#[derive(Debug)]
struct User {
    state: UserState,
    version: i64,
    account: Option<AccountCreated>,
}

/// A shop with its books, and the events that it published.
#[derive(Debug, Default)]
struct Shop {
    products: Vec<Product>,
    orders: Vec<Order>,
    users: Vec<User>,
    accounts: i64,
    /// Every category that a product ever had.
    categories: BTreeSet<String>,
    events: Vec<Event>,
}

impl Shop {
    fn after(commands: &[Command]) -> Self {
        let mut shop = Self::default();
        for command in commands {
            shop.obey(command);
        }
        shop
    }

    fn obey(&mut self, command: &Command) {
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
                self.products.push(Product { state: state.clone(), version: 1 });
                self.publish(1, Payload::ProductCreated(state));
            }
            Command::ChangeProduct { product, category, stock } => {
                let Some(product) = pick(&mut self.products, *product) else { return };
                let before = product.state.stock.unwrap_or(0);
                product.state.category = CATEGORIES[*category].to_owned();
                product.state.stock = *stock;
                product.state.stock_delta = (stock.unwrap_or(0) - before).into();
                product.version += 1;
                let (version, state) = (product.version, product.state.clone());
                self.categories.insert(state.category.clone());
                self.publish(version, Payload::ProductUpdated(state));
            }
            Command::ChangePrice { product, price } => {
                let Some(product) = pick(&mut self.products, *product) else { return };
                let old_price = std::mem::replace(&mut product.state.price, cents(*price));
                product.state.stock_delta = 0;
                product.version += 1;
                let prices = PriceStep { old_price, new_price: product.state.price };
                let change = PriceChanged { product: product.state.clone(), prices };
                let version = product.version;
                self.publish(version, Payload::PriceChanged(change));
            }
            Command::PlaceOrder { customer, lines } => self.place(*customer, lines),
            Command::Move { order, to } => self.advance(*order, *to),
            Command::CreateUser { name } => {
                // Beside the customers who are no users.
                let user_id = self.users.len() as i64 + 4;
                let state = user_state(user_id, *name);
                self.users.push(User { state: state.clone(), version: 1, account: None });
                self.publish(1, Payload::UserCreated(state));
            }
            Command::UpdateUser { user, name } => {
                let Some(user) = pick(&mut self.users, *user) else { return };
                user.state = user_state(user.state.user_id, *name);
                user.version += 1;
                let (version, state) = (user.version, user.state.clone());
                self.publish(version, Payload::UserUpdated(state));
            }
            Command::OpenAccount { user } => {
                let Some(user) = pick(&mut self.users, *user) else { return };
                self.accounts += 1;
                user.version += 1;
                let account = AccountCreated {
                    account_id: self.accounts,
                    user_id: user.state.user_id,
                    address1: format!("{} Main Street", self.accounts),
                    city: "Springfield".to_owned(),
                    state: "IL".to_owned(),
                    zip: "62701".to_owned(),
                };
                user.account = Some(account.clone());
                let version = user.version;
                self.publish(version, Payload::AccountCreated(account));
            }
        }
    }

    /// Places an order, unless a product has too little stock.
    fn place(&mut self, customer_id: i64, lines: &[(usize, i32, Option<u32>)]) {
        let mut items: Vec<OrderLine> = Vec::new();
        let mut left: BTreeMap<i64, i32> = BTreeMap::new();
        for (product, quantity, price) in lines {
            let Some(product) = pick(&mut self.products, *product) else { return };
            let state = &product.state;
            let stock_taken = if let Some(stock) = state.stock {
                let left = left.entry(state.product_id).or_insert(stock);
                *left -= quantity;
                if *left < 0 {
                    return;
                }
                *quantity
            } else {
                0
            };
            items.push(OrderLine {
                product_id: state.product_id,
                product_name: state.name.clone(),
                category: state.category.clone(),
                quantity: *quantity,
                price: price.map_or(state.price, cents),
                stock_taken: Some(stock_taken),
                stock_returned: None,
            });
        }
        for product in &mut self.products {
            if let Some(left) = left.get(&product.state.product_id) {
                product.state.stock = Some(*left);
                product.version += 1;
            }
        }
        let order_id = self.orders.len() as i64 + 1;
        let total = order_total(&items).unwrap();
        let status = OrderStatus::Created;
        let payload = OrderCreated { order_id, customer_id, status, items: items.clone(), total };
        let ordered_at = self.publish(1, Payload::OrderCreated(payload));
        self.orders.push(Order {
            id: order_id,
            customer: customer_id,
            status,
            version: 1,
            lines: items,
            total,
            ordered_at,
        });
    }

    /// Brings an order to a status, if its life allows it.
    fn advance(&mut self, order: usize, new_status: OrderStatus) {
        let Some(order) = pick(&mut self.orders, order) else { return };
        if !order.status.successors().contains(&new_status) {
            return;
        }
        let old_status = std::mem::replace(&mut order.status, new_status);
        order.version += 1;
        if new_status == OrderStatus::Cancelled {
            for line in &mut order.lines {
                let product = &mut self.products[line.product_id as usize - 1];
                let returned = product.state.stock.map_or(0, |_| line.stock_taken());
                product.state.stock = product.state.stock.map(|stock| stock + returned);
                line.stock_returned = Some(returned);
            }
        }
        let payload = OrderStatusUpdated {
            order_id: order.id,
            customer_id: order.customer,
            old_status,
            new_status,
            ordered_at: order.ordered_at,
            items: order.lines.clone(),
            total: order.total,
        };
        let version = order.version;
        self.publish(version, Payload::OrderStatusUpdated(payload));
    }

    /// Half an hour after the event before.
    fn publish(&mut self, version: i64, payload: Payload) -> DateTime<Utc> {
        let event = event(version, self.events.len() as i64 * 1800, payload);
        let time = event.envelope.timestamp;
        self.events.push(event);
        time
    }
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

/// Gross, cancelled and refunded, of one figure.
type Sums<T> = [T; 3];

/// What a sales view shows in a row: quantity (none where a view has none),
/// revenue, orders.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sales {
    quantity: Sums<i64>,
    revenue: Sums<Decimal>,
    orders: Sums<i64>,
}

/// Sales by a key, from the books. A line without a key's view counts nothing.
fn sales<K: Ord + Clone>(shop: &Shop, key: impl Fn(&Order, &OrderLine) -> K) -> BTreeMap<K, Sales> {
    let mut sales: BTreeMap<K, Sales> = BTreeMap::new();
    for order in &shop.orders {
        let columns: &[usize] = match order.status {
            OrderStatus::Cancelled => &[0, 1],
            OrderStatus::Refunded => &[0, 2],
            _ => &[0],
        };
        let keys: BTreeSet<K> = order.lines.iter().map(|line| key(order, line)).collect();
        for column in columns {
            for line in &order.lines {
                let row = sales.entry(key(order, line)).or_default();
                row.quantity[*column] += i64::from(line.quantity);
                row.revenue[*column] += line.amount().unwrap().as_decimal();
            }
            for key in &keys {
                sales.entry(key.clone()).or_default().orders[*column] += 1;
            }
        }
    }
    sales
}

fn hour(order: &Order) -> DateTime<Utc> {
    use chrono::DurationRound;
    order.ordered_at.duration_trunc(chrono::TimeDelta::hours(1)).unwrap()
}

/// Reads a sales view; `key` are its key's columns, `names` those of its
/// figures.
macro_rules! sales_view {
    ($pool:expr, $view:literal, $key:literal, $quantity:literal, $revenue:literal) => {{
        let sql = concat!(
            "SELECT ",
            $key,
            ", ",
            $quantity,
            ", gross_",
            $revenue,
            ", cancelled_",
            $revenue,
            ", refunded_",
            $revenue,
            ", gross_orders, cancelled_orders, refunded_orders FROM ",
            $view
        );
        sqlx::query_as(sql)
            .fetch_all($pool)
            .await
            .unwrap()
            .into_iter()
            .map(|(key, q0, q1, q2, r0, r1, r2, o0, o1, o2)| {
                let sales =
                    Sales { quantity: [q0, q1, q2], revenue: [r0, r1, r2], orders: [o0, o1, o2] };
                (key, sales)
            })
            .collect::<BTreeMap<_, Sales>>()
    }};
}

fn without_quantity<K: Ord>(mut sales: BTreeMap<K, Sales>) -> BTreeMap<K, Sales> {
    sales.values_mut().for_each(|sales| sales.quantity = Sums::default());
    sales
}

fn compare<T: PartialEq + Debug>(view: &str, shown: &T, expected: &T) -> Result<(), String> {
    if shown == expected {
        Ok(())
    } else {
        Err(format!("{view} shows\n{shown:?}\ninstead of\n{expected:?}"))
    }
}

/// Whether every view shows what the books say.
async fn agree(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    agree_on_sales(pool, shop).await?;
    agree_on_state(pool, shop).await
}

async fn agree_on_sales(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    let shown: BTreeMap<i64, Sales> = sales_view!(
        pool,
        "product_sales_view",
        "product_id",
        "gross_quantity, cancelled_quantity, refunded_quantity",
        "revenue"
    );
    compare("product_sales_view", &shown, &sales(shop, |_, line| line.product_id))?;

    let shown: BTreeMap<String, Sales> = sales_view!(
        pool,
        "hourly_product_sales_view",
        "hour_timestamp || ' ' || product_id",
        "gross_quantity, cancelled_quantity, refunded_quantity",
        "revenue"
    );
    let expected = sales(shop, |order, line| {
        format!("{} {}", hour(order).format("%Y-%m-%d %H:%M:%S+00"), line.product_id)
    });
    compare("hourly_product_sales_view", &shown, &expected)?;

    let shown: BTreeMap<String, Sales> = sales_view!(
        pool,
        "category_metrics_view",
        "category_name",
        "0::bigint, 0::bigint, 0::bigint",
        "revenue"
    );
    let mut expected = without_quantity(sales(shop, |_, line| line.category.clone()));
    for category in &shop.categories {
        expected.entry(category.clone()).or_default();
    }
    compare("category_metrics_view", &shown, &expected)?;

    let shown: BTreeMap<DateTime<Utc>, Sales> = sales_view!(
        pool,
        "hourly_sales_view",
        "hour_timestamp",
        "0::bigint, 0::bigint, 0::bigint",
        "revenue"
    );
    compare("hourly_sales_view", &shown, &without_quantity(sales(shop, |order, _| hour(order))))?;

    let shown: BTreeMap<i64, Sales> = sales_view!(
        pool,
        "customer_ltv_view",
        "customer_id",
        "0::bigint, 0::bigint, 0::bigint",
        "spent"
    );
    let mut expected = without_quantity(sales(shop, |order, _| order.customer));
    for user in &shop.users {
        expected.entry(user.state.user_id).or_default();
    }
    compare("customer_ltv_view", &shown, &expected)
}

async fn agree_on_state(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    let shown: Vec<(i64, String, String, Decimal, Option<i64>)> = sqlx::query_as(
        "SELECT product_id, name, category, price, stock FROM products_read_view ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let expected = shop.products.iter().map(|Product { state, .. }| {
        let stock = state.stock.map(i64::from);
        let (name, category) = (state.name.clone(), state.category.clone());
        (state.product_id, name, category, state.price.as_decimal(), stock)
    });
    compare("products_read_view", &shown, &expected.collect())?;

    let shown: Vec<(i64, i64, Decimal, String, DateTime<Utc>, String)> = sqlx::query_as(
        "SELECT order_id, customer_id, total, status, created_at, items::text
         FROM orders_read ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let shown: Vec<_> = shown
        .into_iter()
        .map(|(id, customer, total, status, ordered_at, items)| {
            let lines: Vec<OrderLine> = serde_json::from_str(&items).unwrap();
            (id, customer, total, status, ordered_at, lines)
        })
        .collect();
    let expected = shop.orders.iter().map(|order| {
        let (status, lines) = (order.status.to_string(), order.lines.clone());
        (order.id, order.customer, order.total.as_decimal(), status, order.ordered_at, lines)
    });
    compare("orders_read", &shown, &expected.collect())?;

    let shown: Vec<(i64, String, String, Option<String>)> =
        sqlx::query_as("SELECT user_id, name, email, address1 FROM users_read ORDER BY 1")
            .fetch_all(pool)
            .await
            .unwrap();
    let expected = shop.users.iter().map(|User { state, account, .. }| {
        let address = account.as_ref().map(|account| account.address1.clone());
        (state.user_id, state.name.clone(), state.email.clone(), address)
    });
    compare("users_read", &shown, &expected.collect())?;

    let shown: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(
        "SELECT customer_id, last_order_date
         FROM customer_ltv_view
         WHERE last_order_date IS NOT NULL
         ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let last_orders: BTreeMap<i64, DateTime<Utc>> =
        shop.orders.iter().map(|order| (order.customer, order.ordered_at)).collect();
    compare("customer_ltv_view", &shown, &last_orders.into_iter().collect())
}

/// A history and how its events come: `keys` shuffle them, and say which of
/// them come twice; then they come in batches.
type Case = (Vec<Command>, Vec<u16>, usize);

async fn holds(pool: &PgPool, (commands, keys, batch): &Case) -> Result<(), String> {
    let shop = Shop::after(commands);
    let mut stream: Vec<(u16, &Event)> = Vec::new();
    for (place, event) in shop.events.iter().enumerate() {
        let key = keys[place % keys.len()];
        stream.push((key, event));
        if key % 3 == 0 {
            stream.push((key.rotate_left(7), event));
        }
    }
    stream.sort_by_key(|(key, _)| *key);

    clear(pool).await;
    for batch in stream.chunks(*batch) {
        // A queue holds one topic.
        for topic in Topic::ALL {
            let of_topic = batch.iter().filter(|(_, event)| event.payload.topic() == topic);
            let deliveries: Vec<Incoming> =
                of_topic.map(|(_, event)| ours((*event).clone())).collect();
            apply(pool, &deliveries).await.unwrap();
        }
    }
    agree(pool, &shop).await
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn views_show_what_the_books_say_whatever_happened_and_however_it_came(pool: PgPool) {
    let cases = (commands(), prop::collection::vec(any::<u16>(), 100), 1..30_usize);
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        let mut tree = cases.new_tree(&mut runner).unwrap();
        let Err(mut difference) = holds(&pool, &tree.current()).await else { continue };
        // The simplest case that fails tells most.
        let mut simplest = tree.current();
        let mut shrinking = tree.simplify();
        while shrinking {
            shrinking = match holds(&pool, &tree.current()).await {
                Ok(()) => tree.complicate(),
                Err(other) => {
                    (difference, simplest) = (other, tree.current());
                    tree.simplify()
                }
            };
        }
        panic!("{difference}\nafter {:#?}", simplest.0);
    }
}
