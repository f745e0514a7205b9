//! The CHECK constraints of the write database and the event reader refuse the same values: the
//! event of every valid row can be applied.

use shared_events::Event;
use shared_events::limits::is_name;
use sqlx::{AssertSqlSafe, PgPool};

/// A valid row, and an event with the same values.
struct Row {
    table: &'static str,
    /// Columns and their values.
    columns: &'static [(&'static str, &'static str)],
    /// The properties of the event that its envelope does not have.
    event: &'static str,
}

/// The rows that foreign keys refer to.
const BASE: &str = "
    INSERT INTO customers (id) VALUES (1), (2);
    INSERT INTO users (id, name, email) VALUES (2, 'Ada', 'ada@example.com');
    INSERT INTO products (id, name, category, price) VALUES (1000000, 'Tea', 'Drinks', 1);
    INSERT INTO orders (id, customer_id, total, status) VALUES (1000000, 1, 1, 'CREATED')";

const PRODUCT: Row = Row {
    table: "products",
    columns: &[("name", "'Tea'"), ("category", "'Drinks'"), ("price", "1")],
    event: r#""eventType":"ProductCreated","productId":1,"name":"Tea","category":"Drinks","price":1,
              "stock":1,"stockDelta":0"#,
};

const CUSTOMER: Row = Row { table: "customers", columns: &[], event: USER.event };

const USER: Row = Row {
    table: "users",
    columns: &[("id", "1"), ("name", "'Eva'"), ("email", "'eva@example.com'")],
    event: r#""eventType":"UserCreated","userId":1,"name":"Eva","email":"eva@example.com""#,
};

const ACCOUNT: Row = Row {
    table: "accounts",
    columns: &[
        ("user_id", "2"),
        ("address1", "'1 Main St'"),
        ("city", "'Ely'"),
        ("state", "'MN'"),
        ("zip", "'55731'"),
    ],
    event: r#""eventType":"AccountCreated","accountId":1,"userId":2,"address1":"1 Main St",
              "city":"Ely","state":"MN","zip":"55731""#,
};

const ORDER: Row = Row {
    table: "orders",
    columns: &[("customer_id", "1"), ("total", "0"), ("status", "'CREATED'")],
    event: r#""eventType":"OrderCreated","orderId":1,"customerId":1,"total":0,
              "items":[{"productId":1,"productName":"Tea","category":"Drinks","quantity":1,
                        "price":0,"stockTaken":0}]"#,
};

const LINE: Row = Row {
    table: "order_items",
    columns: &[
        ("order_id", "1000000"),
        ("product_id", "1000000"),
        ("product_name", "'Tea'"),
        ("category", "'Drinks'"),
        ("quantity", "1"),
        ("price", "0"),
        ("stock_taken", "0"),
    ],
    event: ORDER.event,
};

const UPDATED_ORDER: Row = Row {
    event: r#""eventType":"OrderStatusUpdated","orderId":1,"customerId":1,"oldStatus":"CREATED",
              "newStatus":"CANCELLED","orderedAt":"2026-01-01T00:00:00Z","total":0,
              "items":[{"productId":1,"productName":"Tea","category":"Drinks","quantity":5,
                        "price":0,"stockTaken":5,"stockReturned":0}]"#,
    ..ORDER
};

const CANCELLED_LINE: Row = Row {
    columns: &[
        ("order_id", "1000000"),
        ("product_id", "1000000"),
        ("product_name", "'Tea'"),
        ("category", "'Drinks'"),
        ("quantity", "5"),
        ("price", "0"),
        ("stock_taken", "5"),
    ],
    event: UPDATED_ORDER.event,
    ..LINE
};

const REFUND: Row = Row {
    table: "refunds",
    columns: &[
        ("order_id", "1000000"),
        ("amount", "0"),
        ("refunded_total", "999999999999.9999"),
        ("status", "'PAID'"),
        ("created_at", "now()"),
    ],
    event: r#""eventType":"OrderRefunded","refundId":1,"orderId":1,"customerId":1,
              "orderedAt":"2026-01-01T00:00:00Z","amount":0,"refundedTotal":999999999999.9999,
              "status":"PAID","reason":"scratched",
              "items":[{"productId":1,"productName":"Tea","category":"Drinks","quantity":5,
                        "amount":0,"stockReturned":5}]"#,
};

/// The SQL of a value, with its text as $1, and the JSON of values around every limit.
type Values<'a> = (&'a str, &'a [&'a str]);

const PRICES: Values = (
    "$1::numeric",
    &["-0.0001", "0", "0.0001", "999999999999.9999", "1000000000000", "\"NaN\"", "\"Infinity\""],
);
const IDS: Values = ("$1::bigint", &["-1", "0", "1", "9223372036854775807"]);
const VERSIONS: Values = ("$1::bigint", &["-1", "0", "1", "9007199254740992", "9007199254740993"]);
const STOCKS: Values =
    ("nullif($1, 'null')::bigint", &["-1", "0", "2147483647", "2147483648", "null"]);
const QUANTITIES: Values = ("$1::bigint", &["-1", "0", "1", "2147483647", "2147483648"]);
const UNITS: Values = ("$1::bigint", &["-1", "0", "5", "6"]);
const TIMES: Values = (
    "$1::timestamptz",
    &[
        "\"0001-01-01T00:00:00Z\"",
        "\"2026-01-01T00:00:00Z\"",
        "\"10000-01-01T00:00:00Z\"",
        "\"-infinity\"",
        "\"infinity\"",
    ],
);
const STATUSES: Values =
    ("$1", &["\"PAID\"", "\"CANCELLED\"", "\"paid\"", "\"PAID \"", "\"UNKNOWN\"", "\"\""]);

impl Row {
    /// The statement that inserts the row, with another value of a column.
    fn insert(&self, column: &str, value: &str) -> String {
        let others = self.columns.iter().filter(|(name, _)| *name != column);
        let (columns, values): (Vec<&str>, Vec<&str>) =
            others.copied().chain([(column, value)]).unzip();
        let (table, columns, values) = (self.table, columns.join(", "), values.join(", "));
        format!("INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING")
    }

    /// The event, with another value of some properties, wherever they occur.
    fn event(&self, properties: &[&str], json: &str) -> String {
        let event = format!(
            r#"{{"eventId":"0190a000-0000-7000-8000-000000000001","version":1,
                "aggregateVersion":1,"timestamp":"2026-01-01T00:00:00Z",{}}}"#,
            self.event
        );
        properties.iter().fold(event, |event, property| {
            let name = format!("\"{property}\":");
            let mut parts = event.split(&name);
            let before = parts.next().unwrap().to_owned();
            parts.fold(before, |before, after| {
                let rest = &after[after.find([',', '}']).unwrap()..];
                format!("{before}{name}{json}{rest}")
            })
        })
    }
}

/// Texts around every limit, as JSON.
fn texts() -> Vec<String> {
    let odd =
        ['\t', '\n', '\u{7f}', '\u{85}', '\u{a0}', '\u{200b}', '\u{2028}', '\u{3000}', '\u{feff}'];
    let mut texts = ["", " ", "  a  ", "😀", "\"\\"].map(str::to_owned).to_vec();
    texts.extend(odd.iter().flat_map(|odd| [odd.to_string(), format!("a{odd}b")]));
    for length in [100, 101, 200, 201, 254, 255] {
        texts.extend(["x".repeat(length), "😀".repeat(length), " ".repeat(length - 1) + "x"]);
    }
    texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect()
}

/// Whether the database accepts the row. It may refuse it only because of the value.
async fn is_stored(pool: &PgPool, insert: &str, value: &str) -> bool {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::raw_sql(BASE).execute(&mut *transaction).await.unwrap();
    let outcome = sqlx::query(AssertSqlSafe(insert)).bind(value).execute(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    let Err(error) = outcome else { return true };
    let code = error.as_database_error().unwrap().code().unwrap().into_owned();
    // A CHECK, or out of range for the column's type.
    assert!(["23514", "22003"].contains(&code.as_str()), "{insert}, {value:?}: {error}");
    false
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn each_column_accepts_the_same_values_as_its_event(pool: PgPool) {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let texts = ("$1", texts.as_slice());
    let columns: [(Row, &str, &[&str], Values); 29] = [
        (PRODUCT, "name", &["name"], texts),
        (PRODUCT, "category", &["category"], texts),
        (PRODUCT, "price", &["price"], PRICES),
        (PRODUCT, "stock", &["stock"], STOCKS),
        (PRODUCT, "id", &["productId"], IDS),
        (PRODUCT, "version", &["aggregateVersion"], VERSIONS),
        (USER, "name", &["name"], texts),
        (USER, "email", &["email"], texts),
        (CUSTOMER, "id", &["userId"], IDS),
        (USER, "version", &["aggregateVersion"], VERSIONS),
        (ACCOUNT, "address1", &["address1"], texts),
        (ACCOUNT, "city", &["city"], texts),
        (ACCOUNT, "state", &["state"], texts),
        (ACCOUNT, "zip", &["zip"], texts),
        (ACCOUNT, "id", &["accountId"], IDS),
        (ORDER, "total", &["total", "price"], PRICES),
        (ORDER, "id", &["orderId"], IDS),
        (ORDER, "version", &["aggregateVersion"], VERSIONS),
        (UPDATED_ORDER, "status", &["newStatus"], STATUSES),
        (UPDATED_ORDER, "created_at", &["orderedAt"], TIMES),
        (LINE, "product_name", &["productName"], texts),
        (LINE, "category", &["category"], texts),
        (LINE, "quantity", &["quantity"], QUANTITIES),
        // Only an external event can take a part of a line.
        (CANCELLED_LINE, "stock_taken", &["stockTaken"], UNITS),
        (CANCELLED_LINE, "stock_returned", &["stockReturned"], UNITS),
        (REFUND, "id", &["refundId"], IDS),
        (REFUND, "amount", &["amount"], PRICES),
        (REFUND, "status", &["status"], STATUSES),
        (REFUND, "reason", &["reason"], texts),
    ];
    for (row, column, properties, (sql, values)) in columns {
        let insert = row.insert(column, sql);
        let mut counts = [0, 0];
        for json in values {
            let text: String = serde_json::from_str(json).unwrap_or_else(|_| (*json).to_owned());
            let stored = is_stored(&pool, &insert, &text).await;
            let read = Event::decode(row.event(properties, json).as_bytes(), None).is_ok();
            assert_eq!(stored, read, "stored or read: {insert}, {json}");
            counts[usize::from(read)] += 1;
        }
        assert!(!counts.contains(&0), "all values accepted or all refused: {insert}");
    }
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn every_character_is_accepted_by_both_or_refused_by_both(pool: PgPool) {
    for before in ["", "a"] {
        let refused: Vec<i32> = sqlx::query_scalar(
            "SELECT code
             FROM generate_series(1, 1114111) AS code
             WHERE code NOT BETWEEN 55296 AND 57343 AND NOT is_name($1 || chr(code), 200)
             ORDER BY code",
        )
        .bind(before)
        .fetch_all(&pool)
        .await
        .unwrap();
        let characters = ('\u{1}'..=char::MAX).map(|c| (c, format!("{before}{c}")));
        let expected: Vec<i32> = characters
            .filter(|(_, text)| !is_name(text, 200))
            .map(|(c, _)| u32::from(c) as i32)
            .collect();
        assert_eq!(refused, expected, "after {before:?}");
    }
}
