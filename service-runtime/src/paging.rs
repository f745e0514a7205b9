//! Pages of lists: ascending or descending by id, starting after a cursor.

use crate::format::{Message, integer, integer_schema, string_schema};
use crate::{format_of, parameters};
use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt::Display;
use utoipa::openapi::Header;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// The cursor of the next page. The last page has none.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

const MAX_LIMIT: i64 = 500;
const DEFAULT_LIMIT: i64 = 50;

parameters! {
    /// The page that a client requests from a list by id.
    pub struct Page {
        /// Maximum number of elements.
        pub limit: Limit,
        /// The `X-Next-Cursor` of the previous page.
        cursor: Option<Cursor>,
        /// Ascending or descending by id.
        order: Order,
    }
}

format_of! {
    /// A number of elements.
    pub Limit: i64, literal, parse = |text| integer(text, 1, MAX_LIMIT),
        schema = integer_schema(1, MAX_LIMIT, 50).default(Some(DEFAULT_LIMIT.into())),
        default = DEFAULT_LIMIT;

    /// The last id of the previous page.
    pub Cursor: i64, literal, parse = |text| integer(text, 0, i64::MAX),
        schema = integer_schema(0, i64::MAX, 50);

    /// Whether ids descend.
    pub Order: bool, string, parse = parse_order,
        schema = string_schema("desc").enum_values(Some(["asc", "desc"])).default(Some("asc".into())),
        default = false;
}

fn parse_order(text: &str) -> Result<bool, Message> {
    match text {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err("must be asc or desc".into()),
    }
}

impl Page {
    /// Whether ids descend.
    pub fn descending(&self) -> bool {
        self.order
    }

    /// The first id that the page may contain, in the order of the list; none if no id can
    /// follow the previous page. In SQL, no id compares with null.
    pub fn first_id(&self) -> Option<i64> {
        match (self.cursor, self.order) {
            (None, false) => Some(i64::MIN),
            (None, true) => Some(i64::MAX),
            (Some(after), false) => after.checked_add(1),
            (Some(after), true) => after.checked_sub(1),
        }
    }
}

/// The description of the header `X-Next-Cursor`.
pub fn next_cursor_header() -> (&'static str, Header) {
    let header = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some("Cursor of the next page. Absent on the last page."))
        .example(Some("50".into()))
        .build();
    ("X-Next-Cursor", header)
}

/// The response with a page. `rows` has one element more than `limit` if there is a next
/// page; the cursor of that page is made from the last element returned.
pub fn page<T: Serialize, C: Display>(
    mut rows: Vec<T>,
    limit: i64,
    cursor: impl Fn(&T) -> C,
) -> Response {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_next = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_next).map(|last| cursor(last).to_string());
    let mut response = Json(rows).into_response();
    if let Some(Ok(next)) = next.map(HeaderValue::try_from) {
        response.headers_mut().insert(NEXT_CURSOR, next);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Parameters;

    fn next_cursor(rows: Vec<i64>, limit: i64) -> Option<String> {
        let response = page(rows, limit, |id| *id);
        response.headers().get(NEXT_CURSOR).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn pages_begin_with_the_lowest_id_and_end_with_the_highest() {
        let first_id = |query: &str| {
            let parameters = Parameters::of(&format!("/?{query}").parse().unwrap()).unwrap();
            parameters.parse::<Page>().unwrap().first_id()
        };
        assert_eq!(first_id("order=asc"), Some(i64::MIN));
        assert_eq!(first_id("order=desc"), Some(i64::MAX));
        assert_eq!(first_id("cursor=7"), Some(8));
        assert_eq!(first_id("order=desc&cursor=7"), Some(6));
        assert_eq!(first_id("order=desc&cursor=9223372036854775807"), Some(i64::MAX - 1));
        assert_eq!(first_id("cursor=9223372036854775807"), None);
    }

    #[test]
    fn every_page_but_the_last_has_a_cursor() {
        assert_eq!(next_cursor(vec![1, 2, 3], 2), Some("2".to_owned()));
        assert_eq!(next_cursor(vec![1, 2], 2), None);
        assert_eq!(next_cursor(vec![], 2), None);
    }
}
