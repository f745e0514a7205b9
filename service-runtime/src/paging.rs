//! Pages of lists: by ascending id, or descending, from a cursor on.

use crate::json_body::integer;
use crate::parameters::Parameters;
use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt::Display;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Header, RefOr};

/// Tells the cursor of the next page, as long as there is one.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// Which page of a list by id is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOfIds {
    /// Most elements, 50 unless told, at most 500.
    pub limit: i64,
    /// The first id that may be shown, in the list's order; none if no id can follow the
    /// page before. In SQL, nothing is beyond a null.
    pub from: Option<i64>,
    /// Whether ids descend.
    pub descending: bool,
}

/// The parameters that say it, as documents have them.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is a PageOfIds when it is read")]
pub struct PageParameters {
    /// Most elements.
    #[param(required = false, minimum = 1, maximum = 500, default = 50, example = 50)]
    limit: i64,
    /// The `X-Next-Cursor` of the page before.
    #[param(required = false, minimum = 0, maximum = 9223372036854775807_i64, example = 50)]
    cursor: i64,
    /// Whether ids ascend or descend.
    #[param(value_type = Order, inline, required = false, example = "desc")]
    order: bool,
}

/// An order of ids, as documents have it.
#[derive(Debug)]
struct Order;

impl utoipa::PartialSchema for Order {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["asc", "desc"]))
            .default(Some("asc".into()))
            .into()
    }
}

/// The header of pages, as documents have it.
pub fn next_cursor_header() -> (&'static str, Header) {
    let header = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some("Cursor of the next page; absent on the last one."))
        .example(Some("50".into()))
        .build();
    ("X-Next-Cursor", header)
}

impl PageOfIds {
    /// Reads `limit`, `cursor` and `order`. What is wrong with them is told by
    /// [`Parameters::check`].
    pub fn read(parameters: &mut Parameters) -> Self {
        let limit = parameters.optional("limit", |text| integer(text, 1, 500)).unwrap_or(50);
        let after = parameters.optional("cursor", |text| integer(text, 0, i64::MAX));
        let descending = parameters
            .optional("order", |text| match text {
                "asc" => Ok(false),
                "desc" => Ok(true),
                _ => Err("must be asc or desc".into()),
            })
            .unwrap_or(false);
        let from = match (after, descending) {
            (None, false) => Some(i64::MIN),
            (None, true) => Some(i64::MAX),
            (Some(after), false) => after.checked_add(1),
            (Some(after), true) => after.checked_sub(1),
        };
        Self { limit, from, descending }
    }
}

/// Answers with a page. `rows` has one element more than `limit` if there is a
/// next page, whose cursor is that of the last element shown.
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

    fn next_cursor(rows: Vec<i64>, limit: i64) -> Option<String> {
        let response = page(rows, limit, |id| *id);
        response.headers().get(NEXT_CURSOR).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn pages_begin_with_the_first_id_there_can_be_and_end_with_the_last() {
        let from = |query: &str| {
            let uri = format!("/?{query}").parse().unwrap();
            let mut parameters = Parameters::of(&uri).unwrap();
            let page = PageOfIds::read(&mut parameters);
            parameters.check().unwrap();
            page.from
        };
        assert_eq!(from("order=asc"), Some(i64::MIN));
        assert_eq!(from("order=desc"), Some(i64::MAX));
        assert_eq!(from("cursor=7"), Some(8));
        assert_eq!(from("order=desc&cursor=7"), Some(6));
        assert_eq!(from("order=desc&cursor=9223372036854775807"), Some(i64::MAX - 1));
        assert_eq!(from("cursor=9223372036854775807"), None);
    }

    #[test]
    fn the_cursor_is_there_while_more_follows() {
        assert_eq!(next_cursor(vec![1, 2, 3], 2), Some("2".to_owned()));
        assert_eq!(next_cursor(vec![1, 2], 2), None);
        assert_eq!(next_cursor(vec![], 2), None);
    }
}
