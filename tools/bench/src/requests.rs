//! The requests of the bench, written into reused buffers.

use kit::write_request;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Products of each shop.
pub const PRODUCTS: u32 = 10_000;

/// Products in the hot case.
pub const HOT_PRODUCTS: u32 = 10;

pub const CATEGORIES: u32 = 100;

/// Customers that place orders.
pub const CUSTOMERS: u32 = 100_000;

/// Stock of each product, which never runs out.
pub const STOCK: u32 = 1_000_000_000;

/// Each run gets the next seed, so every bench sends the same orders.
static SEED: AtomicU64 = AtomicU64::new(1);

/// Writes random orders' requests in place of what is in the buffer: 1 to 3 lines without
/// prices, with any customer and the products 1 to `products`.
pub fn orders(products: u32) -> impl FnMut(&mut Vec<u8>) {
    let mut random = fastrand::Rng::with_seed(SEED.fetch_add(1, Ordering::Relaxed));
    let mut body = Vec::with_capacity(256);
    move |request| {
        let customer = random.u32(1..=CUSTOMERS);
        body.clear();
        let _ = write!(body, r#"{{"customerId":{customer},"items":["#);
        for line in 0..random.u8(1..=3) {
            let comma = if line == 0 { "" } else { "," };
            let (product, quantity) = (random.u32(1..=products), random.u8(1..=5));
            let _ = write!(body, r#"{comma}{{"productId":{product},"quantity":{quantity}}}"#);
        }
        body.extend_from_slice(b"]}");
        post(request, "/api/orders", &body);
    }
}

/// Writes the request that creates a product, the same product as in grown databases.
pub fn product(request: &mut Vec<u8>, id: u32) {
    let (category, cents) = (id % CATEGORIES, id * 37 % 9_900 + 100);
    let price = format!("{}.{:02}", cents / 100, cents % 100);
    let body = format!(
        r#"{{"name":"Product {id:012}","category":"Category {category:03}","price":{price},"stock":{STOCK}}}"#
    );
    post(request, "/api/products", body.as_bytes());
}

const HOST: &str = "Host: localhost\r\n";

/// Writes a GET request in place of what is in the buffer.
pub fn get(request: &mut Vec<u8>, path: &str) {
    write_request(request, "GET", path, HOST, b"");
}

fn post(request: &mut Vec<u8>, path: &str, body: &[u8]) {
    write_request(request, "POST", path, HOST, body);
}

/// The order's id, which is the first field of the response.
pub fn order_id(body: &[u8]) -> Option<i64> {
    let rest = body.strip_prefix(br#"{"orderId":"#)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_json_of_one_to_three_lines() {
        let mut write = orders(HOT_PRODUCTS);
        let mut request = b"what was there before".to_vec();
        for _ in 0..100 {
            write(&mut request);
            let text = std::str::from_utf8(&request).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("POST /api/orders HTTP/1.1\r\n"));
            assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let items = body["items"].as_array().unwrap();
            assert!((1..=3).contains(&items.len()));
            assert!(items.iter().all(|item| item["productId"].as_u64().unwrap() <= 10));
        }
    }

    #[test]
    fn products_have_prices_of_two_decimals() {
        let mut request = Vec::new();
        product(&mut request, 9_999);
        let text = String::from_utf8(request).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            body,
            r#"{"name":"Product 000000009999","category":"Category 099","price":37.63,"stock":1000000000}"#
        );
    }

    #[test]
    fn the_id_of_a_new_order_is_read() {
        assert_eq!(order_id(br#"{"orderId":4711,"id":4711}"#), Some(4711));
        assert_eq!(order_id(br#"{"id":4711}"#), None);
    }
}
