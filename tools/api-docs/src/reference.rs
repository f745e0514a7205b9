//! `docs/api-reference.md`: every operation of every port.

use crate::openapi::{Documents, Operation, Port, properties, text};
use crate::schema::{Field, example, fields, kind, plain};
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
    let mut page = Page::default();
    page.anchor("Endpoints");
    for port in &documents.0 {
        page.port_section(port);
    }
    page.open_section(documents);
    format!(
        "# API reference\n\n\
         Every operation of every port. Concepts such as errors, idempotency keys, \
         read-your-writes and paging: [api.md](api.md). `cargo stack prepare` generates this \
         page from the OpenAPI documents; do not edit it.\n\n## Endpoints\n{}{}",
        page.index, page.body
    )
}

/// The page, while it is written.
#[derive(Default)]
struct Page {
    /// How many headings have each anchor.
    anchors: BTreeMap<String, usize>,
    index: String,
    body: String,
}

impl Page {
    /// The anchor that GitHub gives to a heading: one that is there already gets a number.
    fn anchor(&mut self, heading: &str) -> String {
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = heading.to_lowercase().chars().filter(is_kept).collect();
        let anchor = anchor.replace(' ', "-");
        let count = self.anchors.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    }

    /// The operations of a port that require a role.
    fn port_section(&mut self, port: &Port) {
        let (info, file, number) = (&port.document["info"], port.file, port.number);
        let (title, description) = (text(&info["title"]), line(&info["description"]));
        let anchor = self.anchor(title);
        let _ = write!(
            self.body,
            "\n## {title}\n\n{description}\n\nPort {number}. OpenAPI document: [{file}](../{file}).\n"
        );
        let guarded: Vec<_> = port.operations().filter(|one| one.role.is_some()).collect();
        if guarded.is_empty() {
            self.body += "\nIt has only [health and metrics](#health-metrics-and-documents).\n";
            return;
        }
        let _ = write!(self.index, "\n[{title}](#{anchor}), port {number}:\n\n{INDEX_HEADER}");
        let shared = Shared::of(port);
        shared.write(port, &mut self.body);
        for tag in port.document["tags"].as_array().into_iter().flatten() {
            let name = text(&tag["name"]);
            let mut operations = guarded.iter().filter(|one| one.tag == name).peekable();
            if operations.peek().is_none() {
                continue;
            }
            self.anchor(name);
            let _ = write!(self.body, "\n### {name}\n\n{}\n", line(&tag["description"]));
            for operation in operations {
                let role = format!("`{}`", operation.role.unwrap_or_default());
                self.operation(operation, &role, &shared);
            }
        }
    }

    /// The operations that require no role. Several ports have the same.
    fn open_section(&mut self, documents: &Documents) {
        let mut operations: Vec<(Operation<'_>, Vec<String>)> = Vec::new();
        let all = documents.0.iter().flat_map(Port::operations);
        for operation in all.filter(|operation| operation.role.is_none()) {
            let number = operation.port.number.to_string();
            let is_same = |other: &Operation<'_>| {
                (other.path, &other.method) == (operation.path, &operation.method)
            };
            match operations.iter_mut().find(|(other, _)| is_same(other)) {
                Some((_, ports)) => ports.push(number),
                None => operations.push((operation, vec![number])),
            }
        }
        let title = "Health, metrics and documents";
        let anchor = self.anchor(title);
        let _ = write!(self.index, "\n[{title}](#{anchor}), open to everyone:\n\n{INDEX_HEADER}");
        let _ = write!(self.body, "\n## {title}\n\nThese operations require no role.\n");
        for (operation, ports) in operations {
            self.operation(&operation, "–", &Shared::default());
            let _ = write!(self.body, "\nPorts: {}.\n", ports.join(", "));
        }
    }

    /// An operation in the index and its section.
    fn operation(&mut self, operation: &Operation<'_>, role: &str, shared: &Shared<'_>) {
        let Operation { method, path, summary, .. } = operation;
        let anchor = self.anchor(summary);
        let _ = writeln!(self.index, "| {method} | `{path}` | [{summary}](#{anchor}) | {role} |");
        operation_section(operation, shared, &mut self.body);
    }
}

/// What all operations of a port that require a role share.
#[derive(Default)]
struct Shared<'a> {
    parameters: Vec<&'a Value>,
    refusals: BTreeMap<Refusal<'a>, &'a str>,
}

impl<'a> Shared<'a> {
    fn of(port: &'a Port) -> Self {
        let mut operations = port.operations().filter(|operation| operation.role.is_some());
        let Some(first) = operations.next() else { return Self::default() };
        let mut parameters: Vec<_> = first.parameters().collect();
        let mut refusals = refusals(&first);
        for operation in operations {
            let others: Vec<_> = operation.parameters().collect();
            parameters.retain(|parameter| others.contains(parameter));
            let others = self::refusals(&operation);
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
        refusal_table(&self.refusals, body);
    }
}

fn operation_section(operation: &Operation<'_>, shared: &Shared<'_>, body: &mut String) {
    let port = operation.port;
    let Operation { method, path, summary, .. } = operation;
    let _ = write!(body, "\n#### {summary}\n\n`{method} {path}`");
    if let Some(role) = operation.role {
        let _ = write!(body, " · role `{role}`");
    }
    *body += "\n";
    let description = line(&operation.value["description"]);
    if !description.is_empty() {
        let _ = write!(body, "\n{description}\n");
    }
    let mut parameters: Vec<_> = operation.parameters().collect();
    parameters.retain(|parameter| !shared.parameters.contains(parameter));
    if operation.role.is_none() {
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
    if operation.role.is_some() {
        let mut own = refusals(operation);
        own.retain(|refusal, _| !shared.refusals.contains_key(refusal));
        refusal_table(&own, body);
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
    let rows = parameters.iter().map(|parameter| {
        let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
        let kind = kind(port, &parameter["schema"]);
        let required = if parameter["required"] == true { "Required. " } else { "" };
        let description = cell(text(&parameter["description"]));
        let default = match &parameter["schema"]["default"] {
            Value::Null => String::new(),
            default => format!(" Default: `{}`.", plain(default)),
        };
        format!("| `{name}` | {place} | {kind} | {required}{description}{default} |")
    });
    table("| Parameter | In | Type | |\n|---|---|---|---|", rows, body);
}

fn field_table(title: &str, port: &Port, schema: &Value, body: &mut String) {
    let rows = fields(port, schema, "").into_iter().map(
        |Field { path, kind, is_required, description }| {
            let optional = if is_required { "" } else { "Optional. " };
            format!("| `{path}` | {kind} | {optional}{} |", cell(&description))
        },
    );
    table(&format!("| {title} | Type | |\n|---|---|---|"), rows, body);
}

fn example_block(port: &Port, schema: &Value, body: &mut String) {
    if let Some(example) = example(port, schema) {
        let _ = write!(body, "\n```json\n{example}\n```\n");
    }
}

fn refusal_table(refusals: &BTreeMap<Refusal<'_>, &str>, body: &mut String) {
    let rows = refusals
        .iter()
        .map(|((status, error), detail)| format!("| {status} | `{error}` | {} |", cell(detail)));
    table("| Status | `error` | When |\n|---|---|---|", rows, body);
}

/// Writes a table, unless it has no rows.
fn table(head: &str, rows: impl Iterator<Item = String>, body: &mut String) {
    let rows: Vec<String> = rows.collect();
    if !rows.is_empty() {
        let _ = write!(body, "\n{head}\n{}\n", rows.join("\n"));
    }
}

/// The refusals of an operation. A response describes each in a paragraph of its own:
/// the text of `error` in backquotes, a colon, and when.
fn refusals<'a>(operation: &Operation<'a>) -> BTreeMap<Refusal<'a>, &'a str> {
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
