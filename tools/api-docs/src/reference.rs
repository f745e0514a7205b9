//! `docs/api-reference.md`: every operation of every port.

use crate::openapi::{Documents, Operation, Port, properties, text};
use crate::schema::{example, fields, kind, plain};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Headers that every response has.
const COMMON_HEADERS: [&str; 3] = ["Cache-Control", "X-Request-Id", "traceparent"];

const INDEX_HEADER: &str = "| Method | Path | | Role |\n|---|---|---|---|\n";

/// A refusal: status and text of `error`.
type Refusal<'a> = (&'a str, &'a str);

/// The reference in Markdown.
pub fn reference(documents: &Documents) -> String {
    let mut page = String::from(
        "# API reference\n\n\
         Every operation of every port. Concepts such as errors, idempotency keys, \
         read-your-writes and paging: [api.md](api.md). `cargo stack prepare` generates this \
         page from the OpenAPI documents; do not edit it.\n",
    );
    let mut anchors = Anchors::default();
    anchors.next("Endpoints");
    let mut body = String::new();
    let mut index = String::from("\n## Endpoints\n");
    for port in &documents.0 {
        port_section(port, &mut anchors, &mut index, &mut body);
    }
    open_section(documents, &mut anchors, &mut index, &mut body);
    page += &index;
    page += &body;
    page
}

/// The anchors that GitHub gives to headings: one that is there already gets a number.
#[derive(Default)]
struct Anchors(BTreeMap<String, usize>);

impl Anchors {
    fn next(&mut self, heading: &str) -> String {
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = heading.to_lowercase().chars().filter(is_kept).collect();
        let anchor = anchor.replace(' ', "-");
        let count = self.0.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    }
}

/// The operations of a port that require a role.
fn port_section(port: &Port, anchors: &mut Anchors, index: &mut String, body: &mut String) {
    let title = port.title();
    let anchor = anchors.next(title);
    let _ = write!(body, "\n## {title}\n\n{}\n\n", line(&port.document["info"]["description"]));
    let file = port.file;
    let _ = writeln!(body, "Port {}. OpenAPI document: [{file}](../{file}).", port.number);
    let guarded: Vec<_> = port.operations().filter(|one| one.role().is_some()).collect();
    if guarded.is_empty() {
        *body += "\nIt has only [health and metrics](#health-metrics-and-documents).\n";
        return;
    }
    let _ = write!(index, "\n[{title}](#{anchor}), port {}:\n\n{INDEX_HEADER}", port.number);
    let shared = Shared::of(port);
    shared.write(port, body);
    for tag in port.document["tags"].as_array().into_iter().flatten() {
        let name = text(&tag["name"]);
        let operations: Vec<_> = guarded.iter().filter(|one| one.tag() == name).collect();
        if operations.is_empty() {
            continue;
        }
        anchors.next(name);
        let _ = write!(body, "\n### {name}\n\n{}\n", line(&tag["description"]));
        for operation in operations {
            let role = format!("`{}`", operation.role().unwrap_or_default());
            index_line(*operation, &role, anchors, index);
            operation_section(*operation, &shared, body);
        }
    }
}

/// The operations that require no role. Several ports have the same.
fn open_section(
    documents: &Documents,
    anchors: &mut Anchors,
    index: &mut String,
    body: &mut String,
) {
    let mut operations: Vec<(Operation<'_>, Vec<String>)> = Vec::new();
    let all = documents.0.iter().flat_map(Port::operations);
    for operation in all.filter(|operation| operation.role().is_none()) {
        let number = operation.port.number.to_string();
        let is_same = |other: &Operation<'_>| {
            (other.path, other.method()) == (operation.path, operation.method())
        };
        match operations.iter_mut().find(|(other, _)| is_same(other)) {
            Some((_, ports)) => ports.push(number),
            None => operations.push((operation, vec![number])),
        }
    }
    let title = "Health, metrics and documents";
    let anchor = anchors.next(title);
    let _ = write!(index, "\n[{title}](#{anchor}), open to everyone:\n\n{INDEX_HEADER}");
    let _ = write!(body, "\n## {title}\n\nThese operations require no role.\n");
    for (operation, ports) in operations {
        index_line(operation, "–", anchors, index);
        operation_section(operation, &Shared::default(), body);
        let _ = write!(body, "\nPorts: {}.\n", ports.join(", "));
    }
}

fn index_line(operation: Operation<'_>, role: &str, anchors: &mut Anchors, index: &mut String) {
    let (method, path, summary) = (operation.method(), operation.path, operation.summary());
    let anchor = anchors.next(summary);
    let _ = writeln!(index, "| {method} | `{path}` | [{summary}](#{anchor}) | {role} |");
}

/// What all operations of a port that require a role share.
#[derive(Default)]
struct Shared<'a> {
    parameters: Vec<&'a Value>,
    refusals: BTreeMap<Refusal<'a>, &'a str>,
}

impl<'a> Shared<'a> {
    fn of(port: &'a Port) -> Self {
        let mut operations = port.operations().filter(|operation| operation.role().is_some());
        let Some(first) = operations.next() else {
            return Self::default();
        };
        let mut parameters: Vec<_> = first.parameters().collect();
        let mut refusals = refusals(first);
        for operation in operations {
            let others: Vec<_> = operation.parameters().collect();
            parameters.retain(|parameter| others.contains(parameter));
            let others = self::refusals(operation);
            refusals.retain(|refusal, _| others.contains_key(refusal));
        }
        Self { parameters, refusals }
    }

    fn write(&self, port: &Port, body: &mut String) {
        if self.refusals.is_empty() {
            return;
        }
        *body += "\nAll operations below have these parameters and errors:\n";
        parameter_table(port, &self.parameters, body);
        refusal_table(self.refusals.iter(), body);
    }
}

fn operation_section(operation: Operation<'_>, shared: &Shared<'_>, body: &mut String) {
    let port = operation.port;
    let (method, path) = (operation.method(), operation.path);
    let _ = write!(body, "\n#### {}\n\n`{method} {path}`", operation.summary());
    if let Some(role) = operation.role() {
        let _ = write!(body, " · role `{role}`");
    }
    *body += "\n";
    let description = line(&operation.value["description"]);
    if !description.is_empty() {
        let _ = write!(body, "\n{description}\n");
    }
    let mut parameters: Vec<_> = operation.parameters().collect();
    parameters.retain(|parameter| !shared.parameters.contains(parameter));
    if operation.role().is_none() {
        parameters.retain(|parameter| parameter["in"] != "header");
    }
    parameter_table(port, &parameters, body);
    let request = &operation.value["requestBody"]["content"]["application/json"]["schema"];
    if !request.is_null() {
        field_table("Body field", port, request, body);
        example_block(port, request, body);
    }
    for (status, response) in operation.responses().filter(|(status, _)| status.starts_with('2')) {
        success(port, status, response, body);
    }
    let refusals = refusals(operation);
    let is_own = |(refusal, _): &(&Refusal<'_>, &&str)| !shared.refusals.contains_key(*refusal);
    let own: Vec<_> = refusals.iter().filter(is_own).collect();
    if operation.role().is_some() && !own.is_empty() {
        refusal_table(own.into_iter(), body);
    }
}

fn success(port: &Port, status: &str, response: &Value, body: &mut String) {
    let _ = write!(body, "\n**{status}**: {}", line(&response["description"]));
    for (name, content) in properties(&response["content"]) {
        if name != "application/json" {
            let _ = write!(body, " (`{name}`)");
            continue;
        }
        *body += "\n";
        field_table("Response field", port, &content["schema"], body);
        example_block(port, &content["schema"], body);
    }
    let headers: BTreeSet<&String> =
        properties(&response["headers"]).map(|(name, _)| name).collect();
    for name in headers.into_iter().filter(|name| !COMMON_HEADERS.contains(&name.as_str())) {
        let header = port.resolve(&response["headers"][name]);
        let _ = write!(body, "\nHeader `{name}`: {}\n", line(&header["description"]));
    }
    if !body.ends_with('\n') {
        *body += "\n";
    }
}

fn parameter_table(port: &Port, parameters: &[&Value], body: &mut String) {
    if parameters.is_empty() {
        return;
    }
    *body += "\n| Parameter | In | Type | |\n|---|---|---|---|\n";
    for parameter in parameters {
        let required = if parameter["required"] == true { "Required. " } else { "" };
        let schema = &parameter["schema"];
        let default = match &schema["default"] {
            Value::Null => String::new(),
            default => format!(" Default: `{}`.", plain(default)),
        };
        let _ = writeln!(
            body,
            "| `{}` | {} | {} | {required}{}{default} |",
            text(&parameter["name"]),
            text(&parameter["in"]),
            kind(port, schema),
            cell(text(&parameter["description"])),
        );
    }
}

fn field_table(title: &str, port: &Port, schema: &Value, body: &mut String) {
    let fields = fields(port, schema);
    if fields.is_empty() {
        return;
    }
    let _ = write!(body, "\n| {title} | Type | |\n|---|---|---|\n");
    for field in fields {
        let optional = if field.is_required { "" } else { "Optional. " };
        let description = cell(&field.description);
        let _ = writeln!(body, "| `{}` | {} | {optional}{description} |", field.path, field.kind);
    }
}

fn example_block(port: &Port, schema: &Value, body: &mut String) {
    if let Some(example) = example(port, schema) {
        let _ = write!(body, "\n```json\n{example}\n```\n");
    }
}

fn refusal_table<'a>(
    refusals: impl Iterator<Item = (&'a Refusal<'a>, &'a &'a str)>,
    body: &mut String,
) {
    *body += "\n| Status | `error` | When |\n|---|---|---|\n";
    for ((status, error), detail) in refusals {
        let _ = writeln!(body, "| {status} | `{error}` | {} |", cell(detail));
    }
}

/// The refusals of an operation. A response describes each in a paragraph of its own:
/// the text of `error` in backquotes, a colon, and when.
fn refusals<'a>(operation: Operation<'a>) -> BTreeMap<Refusal<'a>, &'a str> {
    let refusals = operation.responses().flat_map(|(status, response)| {
        text(&response["description"]).split("\n\n").filter_map(move |paragraph| {
            let (error, detail) = paragraph.strip_prefix('`')?.split_once("`: ")?;
            Some(((status, error), detail))
        })
    });
    refusals.filter(|((status, _), _)| status.starts_with(['4', '5'])).collect()
}

/// A text in one line.
fn line(value: &Value) -> String {
    text(value).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
