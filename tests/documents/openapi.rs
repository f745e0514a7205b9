//! Each OpenAPI document is complete: texts, tags, parameters, responses, examples and
//! references. (Whether responses are as documented is checked by `tests/schemathesis/run`.)

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use system_tests::openapi::{Port, operations, properties, resolve};

#[test]
fn openapi_documents_are_complete() {
    for port in Port::ALL {
        let document = port.document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{port:?}");
        let mut faults = Vec::new();
        find_broken_references(&document, &document, &mut faults);
        find_undescribed_properties(&document, &document, "", &mut faults);
        let tags: BTreeSet<_> = document["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| &tag["name"])
            .map(Value::to_string)
            .collect();
        let mut ids = BTreeSet::new();
        for (method, pattern, operation) in operations(&document) {
            let mut fault = |what: &str| faults.push(format!("{method} {pattern}: {what}"));
            if !is_text(&operation["summary"]) {
                fault("no summary");
            }
            if !is_text(&operation["operationId"])
                || !ids.insert(operation["operationId"].to_string())
            {
                fault("no unique operationId");
            }
            let its_tags = operation["tags"].as_array().into_iter().flatten();
            if its_tags.filter(|tag| tags.contains(&tag.to_string())).count() != 1 {
                fault("not exactly one of the documented tags");
            }
            find_bad_parameters(&document, pattern, operation, &mut fault);
            find_bad_responses(&document, operation, &mut fault);
        }
        assert!(faults.is_empty(), "{port:?}\n{}", faults.join("\n"));
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn find_broken_references(document: &Value, value: &Value, faults: &mut Vec<String>) {
    if let Some(reference) = value["$ref"].as_str()
        && resolve(document, value).is_null()
    {
        faults.push(format!("{reference} does not exist"));
    }
    let below = value.as_array().into_iter().flatten();
    for value in below.chain(properties(value).map(|(_, value)| value)) {
        find_broken_references(document, value, faults);
    }
}

/// Properties without a description or an example.
fn find_undescribed_properties(
    document: &Value,
    value: &Value,
    path: &str,
    faults: &mut Vec<String>,
) {
    for (name, schema) in properties(&value["properties"]).filter(|(_, schema)| schema.is_object())
    {
        let referred = resolve(document, schema);
        let has = |name: &str| !schema[name].is_null() || !referred[name].is_null();
        let others = [&schema["oneOf"][0], &schema["oneOf"][1], &schema["items"]];
        let has_example = |schema: &&Value| {
            !resolve(document, schema)["examples"].is_null() || has_properties(document, schema)
        };
        // The response has examples of these texts.
        if name == "error" && !schema["enum"].is_null() {
            continue;
        }
        if !has("description") && others.iter().all(|schema| schema["description"].is_null()) {
            faults.push(format!("{path}/{name}: no description"));
        }
        if !has("examples") && !others.iter().any(has_example) {
            faults.push(format!("{path}/{name}: no example"));
        }
    }
    for (name, value) in properties(value) {
        find_undescribed_properties(document, value, &format!("{path}/{name}"), faults);
    }
    for value in value.as_array().into_iter().flatten() {
        find_undescribed_properties(document, value, path, faults);
    }
}

/// Whether a schema is an object. Its properties have their own examples.
fn has_properties(document: &Value, schema: &Value) -> bool {
    !resolve(document, schema)["properties"].is_null()
}

fn find_bad_parameters(
    document: &Value,
    pattern: &str,
    operation: &Value,
    fault: &mut impl FnMut(&str),
) {
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| resolve(document, parameter))
        .collect();
    let names: BTreeSet<_> = parameters
        .iter()
        .map(|parameter| (parameter["name"].as_str(), parameter["in"].as_str()))
        .collect();
    if names.len() != parameters.len() {
        fault("a duplicate parameter");
    }
    for parameter in &parameters {
        if !is_text(&parameter["description"])
            || parameter["example"].is_null()
            || parameter["schema"].is_null()
        {
            fault(&format!("parameter {}: no description, example or schema", parameter["name"]));
        }
    }
    let in_path = pattern.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path =
        names.iter().filter(|(_, place)| *place == Some("path")).map(|(name, _)| name.unwrap());
    if in_path.collect::<BTreeSet<_>>() != of_path.collect() {
        fault("the parameters in the path are not those documented");
    }
    for header in ["X-Request-Id", "traceparent"] {
        if !names.contains(&(Some(header), Some("header"))) {
            fault(&format!("no header {header}"));
        }
    }
}

fn find_bad_responses(document: &Value, operation: &Value, fault: &mut impl FnMut(&str)) {
    let responses: Map<String, Value> = properties(&operation["responses"])
        .map(|(status, response)| (status.clone(), resolve(document, response).clone()))
        .collect();
    if !responses.keys().any(|status| status.starts_with('2')) {
        fault("no success");
    }
    for (status, response) in &responses {
        if !is_text(&response["description"]) || response["headers"]["X-Request-Id"].is_null() {
            fault(&format!("{status}: no description or request id"));
        }
        let contents: Vec<&String> =
            properties(&response["content"]).map(|(kind, _)| kind).collect();
        let is_problem = contents.iter().any(|kind| *kind == "application/problem+json");
        let is_refusal = status.starts_with(['4', '5']);
        if contents.is_empty() || is_problem != is_refusal {
            fault(&format!("{status}: contents {contents:?}"));
        }
    }
    let mut expected = vec!["500", "503"];
    if operation["security"] != serde_json::json!([]) {
        expected.extend(["400", "401", "403", "429"]);
        for (status, header) in
            [("401", "WWW-Authenticate"), ("429", "Retry-After"), ("503", "Retry-After")]
        {
            if responses.get(status).is_some_and(|response| response["headers"][header].is_null()) {
                fault(&format!("{status}: no {header}"));
            }
        }
    }
    if !operation["requestBody"].is_null() {
        expected.extend(["413", "415", "422"]);
    }
    for status in expected.into_iter().filter(|status| !responses.contains_key(*status)) {
        fault(&format!("no {status}"));
    }
}
