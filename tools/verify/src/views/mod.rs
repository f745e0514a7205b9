//! Every view, with two statements of the same columns: what it is to have, from
//! the write database, and what it has.

use KeyColumn::{Plain, Text};

/// A view.
#[derive(Debug)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// What its rows are known by.
    pub key: &'static [KeyColumn],
    expected: &'static str,
    shown: &'static str,
}

/// A column of a key.
#[derive(Debug)]
pub enum KeyColumn {
    /// Of a number or a time.
    Plain(&'static str),
    /// Of a text, which is sorted by its bytes: the two databases may sort texts
    /// differently.
    Text(&'static str),
}

impl KeyColumn {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Plain(name) | Text(name) => name,
        }
    }
}

/// The view of that folder.
macro_rules! view {
    ($name:literal, $key:expr) => {
        View {
            name: $name,
            key: $key,
            expected: include_str!(concat!($name, "/expected.sql")),
            shown: include_str!(concat!($name, "/shown.sql")),
        }
    };
}

/// Every view.
pub const VIEWS: [View; 8] = [
    view!("product_sales_view", &[Plain("product_id")]),
    view!("category_metrics_view", &[Text("category_name")]),
    view!("customer_ltv_view", &[Plain("customer_id")]),
    view!("hourly_sales_view", &[Plain("hour_timestamp")]),
    view!("hourly_product_sales_view", &[Plain("hour_timestamp"), Plain("product_id")]),
    view!("products_read_view", &[Plain("product_id")]),
    view!("orders_read", &[Plain("order_id")]),
    view!("users_read", &[Plain("user_id")]),
];

impl View {
    /// The statement for the write database: rows as JSON by ascending key, as
    /// they are without the events whose ids are its parameter.
    pub fn expected(&self) -> String {
        format!("{}\n{}", include_str!("as_seen.sql"), self.rows_of(self.expected))
    }

    /// The statement for the read database: rows as JSON by ascending key.
    pub fn shown(&self) -> String {
        self.rows_of(self.shown)
    }

    fn rows_of(&self, statement: &str) -> String {
        let key: Vec<String> = self
            .key
            .iter()
            .map(|column| match column {
                Plain(name) => (*name).to_owned(),
                Text(name) => format!("{name} COLLATE \"C\""),
            })
            .collect();
        let key = key.join(", ");
        // Sorted as columns, and only then made JSON, which is larger: PostgreSQL
        // does not sort again what comes in order.
        format!(
            "SELECT row_to_json(row)::text
             FROM (SELECT * FROM (\n{statement}\n) AS row ORDER BY {key}) AS row
             ORDER BY {key}"
        )
    }
}
