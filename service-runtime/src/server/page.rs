//! `/openapi.json` and the page `/docs`, which shows it with Swagger UI.

use crate::openapi::TAG;
use crate::path::Segment;
use crate::problem::Problem;
use crate::refusals;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use std::borrow::Cow;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

/// The page. Its files are those of Swagger UI.
const PAGE: &str = include_str!("page.html");

/// The files of the page.
const FILES: [&str; 3] = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"];

/// The OpenAPI document, as JSON.
#[derive(Clone, Debug)]
pub struct Document(pub Bytes);

pub fn routes() -> OpenApiRouter<Document> {
    OpenApiRouter::default().routes(routes!(document)).routes(routes!(page)).routes(routes!(file))
}

/// Retrieve this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = TAG,
    responses((status = 200, description = "OpenAPI 3.1.", body = Object))
)]
async fn document(State(Document(text)): State<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Show this document as a page
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "getPage",
    tag = TAG,
    responses((status = 200, description = "A page.", body = String, content_type = "text/html"))
)]
async fn page() -> Response {
    // The page sends commands, so other pages must not embed it.
    ([(header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'")], Html(PAGE)).into_response()
}

refusals! {
    NoFile: Problem::no_path()
}

/// Retrieve a file of the page
#[utoipa::path(
    get,
    path = "/docs/{file}",
    operation_id = "getFileOfPage",
    tag = TAG,
    params(("file" = String, Path, description = "The name of the file.", example = "swagger-ui.css")),
    responses(
        (status = 200, description = "The file, compressed with gzip.", content(
            (String = "text/css"),
            (String = "text/javascript"),
            (String = "image/png"),
        )),
        NoFile,
    )
)]
async fn file(Segment(name): Segment) -> Result<Response, Problem> {
    if !FILES.contains(&name.as_str()) {
        return Err(Problem::no_path());
    }
    // The page has the configuration.
    let found = utoipa_swagger_ui::serve(&name, Arc::new(Config::from("")));
    let file = found.map_err(|error| Problem::internal(&error))?.ok_or_else(Problem::no_path)?;
    let bytes = match file.bytes {
        // Not copied, so that a slow download uses no memory.
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let headers = [
        (header::CONTENT_TYPE, file.content_type),
        (header::CONTENT_ENCODING, "gzip".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        // Public, unlike other responses.
        (header::CACHE_CONTROL, "max-age=3600".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}
