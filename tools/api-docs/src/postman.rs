//! The Postman collection, from the folder `tests/postman/collection`, whose README
//! describes the format. Each request gets a test script that calls `checks.js` with what
//! the response must have.

use crate::openapi::{Documents, properties};
use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Information {
    id: Uuid,
    name: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Folder {
    name: String,
    description: String,
    login: Option<Login>,
    #[serde(default)]
    requests: Vec<Request>,
    #[serde(default)]
    folders: Vec<Folder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    name: String,
    /// Method and URL.
    request: String,
    description: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    before: Option<String>,
    after: Option<String>,
    expect: Expectation,
}

/// Passed on to `checks.js`, except `checks`, which become functions.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    status: Option<u16>,
    created: Option<String>,
    changed: Option<bool>,
    refused: Option<String>,
    fields: Option<Vec<String>>,
    #[serde(rename = "type")]
    content_type: Option<String>,
    headers: Option<Map<String, Value>>,
    eventually: Option<bool>,
    save: Option<BTreeMap<String, String>>,
    body: Option<Value>,
    ids: Option<Vec<Value>>,
    cursor: Option<Value>,
    contains: Option<Vec<String>>,
    #[serde(default, skip_serializing)]
    checks: BTreeMap<String, String>,
}

/// The collection as Postman's JSON.
pub fn collection(folder: &Path, documents: &Documents) -> Result<String> {
    let information: Information = read(&folder.join("collection.yaml"))?;
    let mut builder = Builder { documents, names: BTreeSet::new(), requested: BTreeSet::new() };
    let mut items = Vec::new();
    for file in folder_files(folder)? {
        items.push(builder.folder(read(&file)?, "")?);
    }
    builder.require_every_operation()?;
    let script = |name| fs::read_to_string(folder.join(name));
    let collection = json!({
        "info": {
            "_postman_id": information.id,
            "name": information.name,
            "description": information.description,
            "schema": SCHEMA,
        },
        "item": items,
        "event": [
            event("prerequest", &script("before.js")?),
            event("test", &script("checks.js")?),
        ],
    });
    Ok(serde_json::to_string_pretty(&collection)? + "\n")
}

/// The files of folders, which begin with their number, in order.
fn folder_files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<Result<BTreeSet<_>>>()?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(|first: char| first.is_ascii_digit()) && name.ends_with(".yaml")
    });
    Ok(paths)
}

fn read<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T> {
    serde_saphyr::from_str(&fs::read_to_string(file)?)
        .with_context(|| format!("{} is invalid", file.display()))
}

struct Builder<'a> {
    documents: &'a Documents,
    names: BTreeSet<String>,
    /// The operations that are requested: the variable of their port, and their id.
    requested: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Builder<'a> {
    fn folder(&mut self, folder: Folder, above: &str) -> Result<Value> {
        let path = format!("{above}/{}", folder.name);
        let mut items = Vec::new();
        for request in folder.requests {
            let name = request.name.clone();
            items.push(self.request(request).with_context(|| format!("the request {name}"))?);
        }
        for folder in folder.folders {
            items.push(self.folder(folder, &path)?);
        }
        let mut item = json!({
            "id": id(&path),
            "name": folder.name,
            "description": folder.description,
            "item": items,
        });
        if let Some(Login { user, password }) = folder.login {
            let attribute = |key, value| json!({"key": key, "value": value, "type": "string"});
            item["auth"] = json!({
                "type": "basic",
                "basic": [attribute("username", user), attribute("password", password)],
            });
        }
        Ok(item)
    }

    fn request(&mut self, request: Request) -> Result<Value> {
        let name = request.name;
        ensure!(self.names.insert(name.clone()), "the name is not unique");
        let (method, url) = request.request.split_once(' ').context("no method")?;
        let documents: &'a Documents = self.documents;
        let operation = documents.operation_of(method, url);
        let refused = request.expect.refused.as_deref();
        let is_unknown = matches!(refused, Some("404 Not found" | "405 Method not allowed"));
        if let Some(operation) = &operation {
            self.requested.insert((operation.port.variable, operation.id));
        } else if self.documents.covers(url) && !is_unknown {
            bail!("{method} {url} is not documented");
        }
        let summary = operation.map(|operation| format!("{}.", operation.summary));
        let description = request.description.or(summary).context("no description")?;
        let mut headers = request.headers;
        if request.body.is_some() {
            headers.entry("Content-Type".to_owned()).or_insert("application/json".to_owned());
        }
        let headers: Vec<Value> =
            headers.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let mut sent = json!({
            "method": method,
            "header": headers,
            "url": url,
            "description": description,
        });
        if let Some(body) = request.body {
            let options = json!({"raw": {"language": "json"}});
            sent["body"] = json!({"mode": "raw", "raw": body, "options": options});
        }
        let before = request.before.iter().map(|code| event("prerequest", code));
        let mut test = test_script(&request.expect)?;
        if let Some(after) = request.after {
            test += &after;
        }
        let events: Vec<Value> = before.chain([event("test", &test)]).collect();
        Ok(json!({"id": id(&name), "name": name, "event": events, "request": sent}))
    }

    fn require_every_operation(&self) -> Result<()> {
        let missing: Vec<_> =
            self.documents.api_operations().filter(|id| !self.requested.contains(id)).collect();
        ensure!(missing.is_empty(), "tests/postman/collection has no request for {missing:?}");
        Ok(())
    }
}

/// Stable, so that a change of one request changes nothing else.
fn id(path: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, path.as_bytes())
}

fn event(phase: &str, code: &str) -> Value {
    let lines: Vec<&str> = code.trim_end().lines().collect();
    json!({"listen": phase, "script": {"type": "text/javascript", "exec": lines}})
}

/// A call of `checks.js`. JSON is an object literal of JavaScript.
fn test_script(expectation: &Expectation) -> Result<String> {
    let expected = serde_json::to_value(expectation)?;
    let expected: BTreeMap<_, _> =
        properties(&expected).filter(|(_, value)| !value.is_null()).collect();
    let mut code = serde_json::to_string_pretty(&expected)?;
    if !expectation.checks.is_empty() {
        // Before the last brace.
        code.truncate(code[..code.len() - 1].trim_end().len());
        code += if code == "{" { "\n" } else { ",\n" };
        code += "  \"checks\": {\n";
        for (name, expression) in &expectation.checks {
            let name = serde_json::to_string(name)?;
            code += &format!("    {name}: ({{ body, text, header, variable }}) => {expression},\n");
        }
        code += "  }\n}";
    }
    Ok(format!("checks.run(pm, {code});\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(yaml: &str) -> Result<String> {
        test_script(&serde_saphyr::from_str(yaml)?)
    }

    #[test]
    fn an_expectation_becomes_an_object_literal() -> Result<()> {
        assert_eq!(script("{status: 201}")?, "checks.run(pm, {\n  \"status\": 201\n});\n");
        Ok(())
    }

    #[test]
    fn checks_become_functions() -> Result<()> {
        let function = "    \"free\": ({ body, text, header, variable }) => body.price === 0,\n";
        assert_eq!(
            script("checks: {free: body.price === 0}")?,
            format!("checks.run(pm, {{\n  \"checks\": {{\n{function}  }}\n}});\n")
        );
        let with_body = script("{body: {a: {b: 1}}, checks: {free: body.price === 0}}")?;
        assert!(with_body.contains("      \"b\": 1\n    }\n  },\n  \"checks\": {"), "{with_body}");
        Ok(())
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(script("{stauts: 201}").is_err());
    }
}
