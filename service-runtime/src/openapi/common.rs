//! What all operations share.

use super::refusals::{add_refusals, always};
use crate::problem::Problem;
use crate::{http, json_body};
use axum::http::StatusCode;
use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Ref, RefOr, Required};
use utoipa::{PartialSchema, ToSchema};

/// The tag of operations about the service itself.
pub const TAG: &str = "Service";

pub(super) const SERVICE: (&str, &str) = (TAG, "Health and documentation of the service.");

/// Names of headers and of their components.
const REQUEST_ID: &str = "X-Request-Id";
const TRACE: &str = "traceparent";
const CACHE: &str = "Cache-Control";
const RETRY_AFTER: &str = "Retry-After";
const AUTHENTICATE: &str = "WWW-Authenticate";

const TRACE_EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Whether an operation requires no role.
fn is_open(operation: &Operation) -> bool {
    !operation.extensions.as_ref().is_some_and(|all| all.contains_key(super::REQUIRED_ROLE))
}

/// Adds what every operation of every service has.
pub(super) fn complete(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters.extend(header_parameters());
    let is_in_path = |parameter: &RefOr<Parameter>| {
        matches!(parameter, RefOr::T(Parameter { parameter_in: ParameterIn::Path, .. }))
    };
    if parameters.iter().any(is_in_path) {
        let detail = "The path is not valid UTF-8.";
        add_refusals(operation, &[Problem::bad_request("Invalid path").detail(detail)]);
    }
    if operation.request_body.is_some() {
        add_refusals(operation, &of_bodies());
    }
    if is_open(operation) {
        operation.security = Some(Vec::new());
    } else {
        add_refusals(operation, &of_callers());
        let by = |scheme| SecurityRequirement::new::<_, [&str; 0], _>(scheme, []);
        let no_credential = SecurityRequirement::default();
        operation.security = Some(vec![no_credential, by("apiKey"), by("bearer")]);
    }
    add_refusals(operation, &of_all());
}

fn of_bodies() -> [Problem; 4] {
    [
        Problem::bad_request("Unreadable body").detail("The body ended early."),
        json_body::timed_out(),
        json_body::too_large(),
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")
            .detail("The content type is not JSON."),
    ]
}

/// Errors of authentication, authorization and rate limits.
fn of_callers() -> [Problem; 4] {
    [
        Problem::bad_request("Ambiguous credentials").detail("The request has two credentials."),
        Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized")
            .detail("The credential is missing or invalid."),
        Problem::new(StatusCode::FORBIDDEN, "Forbidden")
            .detail("The caller does not have the required role."),
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
            .retry_after(1)
            .detail("The caller has exceeded the rate limit."),
    ]
}

fn of_all() -> [Problem; 5] {
    [
        http::address_too_long(),
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
            .detail("An error in the service, which was logged."),
        Problem::unavailable("Service unavailable").detail(
            "The database is unavailable, or the service is stopping. The request had no effect; \
             see `detail`.",
        ),
        Problem::unavailable("Service busy").detail(
            "Too many concurrent requests, or a lock timeout. The request had no effect; retry.",
        ),
        Problem::unavailable("Timed out")
            .detail("There was no response in time. The outcome of a command is unknown."),
    ]
}

/// Adds the headers of all responses.
pub(super) fn complete_responses(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut add = |name: &str| {
            let header = Ref::new(format!("#/components/headers/{name}"));
            response.headers.insert(name.to_owned(), RefOr::Ref(header));
        };
        add(REQUEST_ID);
        add(TRACE);
        add(CACHE);
        match status.as_str() {
            "401" | "403" => add(AUTHENTICATE),
            // A 503 of `/health` has no such header.
            "429" | "503" => add(RETRY_AFTER),
            _ => {}
        }
    }
}

/// Adds the referenced components.
pub(super) fn complete_components(components: &mut Components) {
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let mut referred = Vec::new();
    Problem::schemas(&mut referred);
    components.schemas.extend(referred);
    let key =
        ApiKeyValue::with_description("X-Api-Key", "An API key, created with `cargo stack keys`.");
    components.add_security_scheme("apiKey", SecurityScheme::ApiKey(ApiKey::Header(key)));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key or a JWT."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    complete_headers(components);
}

fn complete_headers(components: &mut Components) {
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(1));
    let header = |schema: ObjectBuilder, description: &str| {
        HeaderBuilder::new().schema(Some(schema)).description(Some(description))
    };
    let present = |description| header(text(), description).extensions(always());
    let headers = [
        (REQUEST_ID, present("The id of the request: the received one, or a new one.")),
        (TRACE, header(text(), "W3C trace context.").example(Some(json!(TRACE_EXAMPLE)))),
        (CACHE, present("`no-store`, except for the files of the documentation page.")),
        (RETRY_AFTER, header(seconds, "Seconds to wait before a retry.").example(Some(json!(1)))),
        (AUTHENTICATE, present("The accepted authentication.")),
    ];
    components
        .headers
        .extend(headers.map(|(name, header)| (name.to_owned(), header.build().into())));
}

fn header_parameters() -> [RefOr<Parameter>; 2] {
    let request_id = "Identifies the request in logs and responses. Generated if absent.";
    let trace = "W3C trace context. Ignored if malformed.";
    [(REQUEST_ID, request_id, "7c1a6a0e"), (TRACE, trace, TRACE_EXAMPLE)].map(
        |(name, description, example)| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(text()))
                .example(Some(json!(example)))
                .build()
                .into()
        },
    )
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
