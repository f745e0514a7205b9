//! The CHECK constraints of the write database and the event reader refuse the same values: the
//! event of every valid row can be applied.

use shared_events::Event;
use shared_events::limits::is_name;
use sqlx::PgPool;

/// A column that is part of events.
struct Column {
    /// Inserts a row, with the value as text in $1.
    insert: &'static str,
    /// An event with `$` in place of the value.
    event: &'static str,
    values: Values,
}

enum Values {
    Texts,
    /// JSON values: numbers, or strings in quotation marks.
    These(&'static [&'static str]),
}

/// The rows that foreign keys refer to.
const BASE: &str = "
    INSERT INTO customers (id) VALUES (1), (2);
    INSERT INTO users (id, name, email) VALUES (2, 'Ada', 'ada@example.com');
    INSERT INTO products (id, name, category, price) VALUES (1000000, 'Tea', 'Drinks', 1);
    INSERT INTO orders (id, customer_id, total, status) VALUES (1000000, 1, 1, 'CREATED')";

const PRICES: Values = Values::These(&[
    "-0.0001",
    "0",
    "0.0001",
    "999999999999.9999",
    "1000000000000",
    "\"NaN\"",
    "\"Infinity\"",
]);
const IDS: Values = Values::These(&["-1", "0", "1", "9223372036854775807"]);
const VERSIONS: Values = Values::These(&["-1", "0", "1", "9007199254740992", "9007199254740993"]);
const STOCKS: Values = Values::These(&["-1", "0", "2147483647", "2147483648", "null"]);
const PIECES: Values = Values::These(&["-1", "0", "5", "6"]);
const TIMES: Values = Values::These(&[
    "\"0001-01-01T00:00:00Z\"",
    "\"2026-01-01T00:00:00Z\"",
    "\"10000-01-01T00:00:00Z\"",
    "\"-infinity\"",
    "\"infinity\"",
]);
const STATUSES: Values =
    Values::These(&["\"PAID\"", "\"CANCELLED\"", "\"paid\"", "\"PAID \"", "\"UNKNOWN\"", "\"\""]);

/// The properties of every event, except `eventType` and `aggregateVersion`.
macro_rules! head {
    () => {
        r#""eventId":"0190a000-0000-7000-8000-000000000001","version":1,"timestamp":"2026-01-01T00:00:00Z","#
    };
}

macro_rules! product {
    ($properties:literal) => {
        concat!(
            "{",
            head!(),
            r#""eventType":"ProductCreated","#,
            r#""stockDelta":0,"#,
            $properties,
            "}"
        )
    };
}

macro_rules! user {
    ($properties:literal) => {
        concat!("{", head!(), r#""eventType":"UserCreated","#, $properties, "}")
    };
}

macro_rules! account {
    ($properties:literal) => {
        concat!(
            "{",
            head!(),
            r#""eventType":"AccountCreated","#,
            r#""userId":2,"#,
            $properties,
            "}"
        )
    };
}

macro_rules! order {
    ($properties:literal, $line:literal) => {
        concat!(
            "{",
            head!(),
            r#""eventType":"OrderCreated","#,
            r#""customerId":1,"#,
            $properties,
            r#","items":[{"productId":1,"#,
            $line,
            "}]}"
        )
    };
}

macro_rules! update {
    ($properties:literal, $line:literal) => {
        concat!(
            "{",
            head!(),
            r#""eventType":"OrderStatusUpdated","orderId":1,"customerId":1,"#,
            r#""oldStatus":"CREATED","total":0,"#,
            $properties,
            r#","items":[{"productId":1,"productName":"Tea","category":"Drinks","quantity":5,"#,
            r#""price":0,"#,
            $line,
            "}]}"
        )
    };
}

const COLUMNS: [Column; 25] = [
    Column {
        insert: "INSERT INTO products (name, category, price) VALUES ($1, 'Drinks', 1)",
        event: product!(r#""productId":1,"name":$,"category":"Drinks","price":1,"stock":1"#),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO products (name, category, price) VALUES ('Tea', $1, 1)",
        event: product!(r#""productId":1,"name":"Tea","category":$,"price":1,"stock":1"#),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO products (name, category, price) VALUES ('Tea', 'Drinks', $1::numeric)",
        event: product!(r#""productId":1,"name":"Tea","category":"Drinks","price":$,"stock":1"#),
        values: PRICES,
    },
    Column {
        insert: "INSERT INTO products (name, category, price, stock)
                 VALUES ('Tea', 'Drinks', 1, nullif($1, 'null')::bigint)",
        event: product!(r#""productId":1,"name":"Tea","category":"Drinks","price":1,"stock":$"#),
        values: STOCKS,
    },
    Column {
        insert: "INSERT INTO products (id, name, category, price)
                 VALUES ($1::bigint, 'Tea', 'Drinks', 1) ON CONFLICT DO NOTHING",
        event: product!(r#""productId":$,"name":"Tea","category":"Drinks","price":1,"stock":1"#),
        values: IDS,
    },
    Column {
        insert: "INSERT INTO products (name, category, price, version)
                 VALUES ('Tea', 'Drinks', 1, $1::bigint)",
        event: product!(
            r#""aggregateVersion":$,"productId":1,"name":"Tea","category":"Drinks","price":1,"stock":1"#
        ),
        values: VERSIONS,
    },
    Column {
        insert: "INSERT INTO users (id, name, email) VALUES (1, $1, 'eva@example.com')",
        event: user!(r#""userId":1,"name":$,"email":"eva@example.com""#),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO users (id, name, email) VALUES (1, 'Eva', $1)",
        event: user!(r#""userId":1,"name":"Eva","email":$"#),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO customers (id) VALUES ($1::bigint) ON CONFLICT DO NOTHING",
        event: user!(r#""userId":$,"name":"Eva","email":"eva@example.com""#),
        values: IDS,
    },
    Column {
        insert: "INSERT INTO users (id, name, email, version)
                 VALUES (1, 'Eva', 'eva@example.com', $1::bigint)",
        event: user!(r#""aggregateVersion":$,"userId":1,"name":"Eva","email":"eva@example.com""#),
        values: VERSIONS,
    },
    Column {
        insert: "INSERT INTO accounts (user_id, address1, city, state, zip)
                 VALUES (2, $1, 'Ely', 'MN', '55731')",
        event: account!(r#""accountId":1,"address1":$,"city":"Ely","state":"MN","zip":"55731""#),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO accounts (user_id, address1, city, state, zip)
                 VALUES (2, '1 Main St', $1, 'MN', '55731')",
        event: account!(
            r#""accountId":1,"address1":"1 Main St","city":$,"state":"MN","zip":"55731""#
        ),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO accounts (user_id, address1, city, state, zip)
                 VALUES (2, '1 Main St', 'Ely', $1, '55731')",
        event: account!(
            r#""accountId":1,"address1":"1 Main St","city":"Ely","state":$,"zip":"55731""#
        ),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO accounts (user_id, address1, city, state, zip)
                 VALUES (2, '1 Main St', 'Ely', 'MN', $1)",
        event: account!(
            r#""accountId":1,"address1":"1 Main St","city":"Ely","state":"MN","zip":$"#
        ),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO accounts (id, user_id, address1, city, state, zip)
                 VALUES ($1::bigint, 2, '1 Main St', 'Ely', 'MN', '55731')",
        event: account!(
            r#""accountId":$,"address1":"1 Main St","city":"Ely","state":"MN","zip":"55731""#
        ),
        values: IDS,
    },
    Column {
        insert: "INSERT INTO orders (customer_id, total, status) VALUES (1, $1::numeric, 'CREATED')",
        event: order!(
            r#""orderId":1,"total":$"#,
            r#""productName":"Tea","category":"Drinks","quantity":1,"price":$"#
        ),
        values: PRICES,
    },
    Column {
        insert: "INSERT INTO orders (id, customer_id, total, status)
                 VALUES ($1::bigint, 1, 0, 'CREATED') ON CONFLICT DO NOTHING",
        event: order!(
            r#""orderId":$,"total":0"#,
            r#""productName":"Tea","category":"Drinks","quantity":1,"price":0"#
        ),
        values: IDS,
    },
    Column {
        insert: "INSERT INTO orders (customer_id, total, status, version)
                 VALUES (1, 0, 'CREATED', $1::bigint)",
        event: order!(
            r#""aggregateVersion":$,"orderId":1,"total":0"#,
            r#""productName":"Tea","category":"Drinks","quantity":1,"price":0"#
        ),
        values: VERSIONS,
    },
    Column {
        insert: "INSERT INTO orders (customer_id, total, status) VALUES (1, 0, $1)",
        event: update!(r#""newStatus":$,"orderedAt":"2026-01-01T00:00:00Z""#, r#""stockTaken":5"#),
        values: STATUSES,
    },
    Column {
        insert: "INSERT INTO orders (customer_id, total, status, created_at)
                 VALUES (1, 0, 'CREATED', $1::timestamptz)",
        event: update!(r#""newStatus":"PAID","orderedAt":$"#, r#""stockTaken":5"#),
        values: TIMES,
    },
    Column {
        insert: "INSERT INTO order_items
                     (order_id, product_id, product_name, category, quantity, price, stock_taken)
                 VALUES (1000000, 1000000, $1, 'Drinks', 1, 0, 0)",
        event: order!(
            r#""orderId":1,"total":0"#,
            r#""productName":$,"category":"Drinks","quantity":1,"price":0"#
        ),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO order_items
                     (order_id, product_id, product_name, category, quantity, price, stock_taken)
                 VALUES (1000000, 1000000, 'Tea', $1, 1, 0, 0)",
        event: order!(
            r#""orderId":1,"total":0"#,
            r#""productName":"Tea","category":$,"quantity":1,"price":0"#
        ),
        values: Values::Texts,
    },
    Column {
        insert: "INSERT INTO order_items
                     (order_id, product_id, product_name, category, quantity, price, stock_taken)
                 VALUES (1000000, 1000000, 'Tea', 'Drinks', $1::bigint, 0, 0)",
        event: order!(
            r#""orderId":1,"total":0"#,
            r#""productName":"Tea","category":"Drinks","quantity":$,"price":0,"stockTaken":0"#
        ),
        values: Values::These(&["-1", "0", "1", "2147483647", "2147483648"]),
    },
    Column {
        insert: "INSERT INTO order_items
                     (order_id, product_id, product_name, category, quantity, price, stock_taken)
                 VALUES (1000000, 1000000, 'Tea', 'Drinks', 5, 0, $1::bigint)",
        // Only an external event can take a part of a line.
        event: update!(
            r#""newStatus":"PAID","orderedAt":"2026-01-01T00:00:00Z""#,
            r#""stockTaken":$,"stockReturned":0"#
        ),
        values: PIECES,
    },
    Column {
        insert: "INSERT INTO order_items
                     (order_id, product_id, product_name, category, quantity, price, stock_taken,
                      stock_returned)
                 VALUES (1000000, 1000000, 'Tea', 'Drinks', 5, 0, 5, $1::bigint)",
        event: update!(
            r#""newStatus":"CANCELLED","orderedAt":"2026-01-01T00:00:00Z""#,
            r#""stockTaken":5,"stockReturned":$"#
        ),
        values: PIECES,
    },
];

/// Texts around every limit.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\t",
        "\u{a0}",
        "\u{85}",
        "\u{2028}\u{3000}",
        "\u{200b}",
        "\u{feff}",
        "a\tb",
        "a\nb",
        "a\u{7f}",
        "a\u{85}b",
        "a\u{a0}b",
        "a\u{200b}",
        "a\u{2028}b",
        "  a  ",
        "😀",
        "\"\\",
    ]
    .map(str::to_owned)
    .to_vec();
    for length in [100, 101, 200, 201, 254, 255] {
        texts.extend(["x".repeat(length), "😀".repeat(length), " ".repeat(length - 1) + "x"]);
    }
    texts
}

/// Whether the database accepts the row. It may refuse it only because of the value.
async fn is_stored(pool: &PgPool, insert: &'static str, value: &str) -> bool {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::raw_sql(BASE).execute(&mut *transaction).await.unwrap();
    let outcome = sqlx::query(insert).bind(value).execute(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    let Err(error) = outcome else { return true };
    let code = error.as_database_error().unwrap().code().unwrap().into_owned();
    // A CHECK, or out of range for the column's type.
    assert!(["23514", "22003"].contains(&code.as_str()), "{insert}, {value:?}: {error}");
    false
}

fn is_read(event: &str, json: &str) -> bool {
    let mut event = event.replace('$', json);
    if !event.contains("aggregateVersion") {
        event.insert_str(1, "\"aggregateVersion\":1,");
    }
    Event::decode(event.as_bytes(), None).is_ok()
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn each_column_accepts_the_same_values_as_its_event(pool: PgPool) {
    for Column { insert, event, values } in COLUMNS {
        let values: Vec<(String, String)> = match values {
            Values::Texts => texts()
                .into_iter()
                .map(|text| (serde_json::to_string(&text).unwrap(), text))
                .collect(),
            Values::These(values) => values
                .iter()
                .map(|json| ((*json).to_owned(), json.trim_matches('"').to_owned()))
                .collect(),
        };
        let mut counts = [0, 0];
        for (json, value) in values {
            let (stored, read) = (is_stored(&pool, insert, &value).await, is_read(event, &json));
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
