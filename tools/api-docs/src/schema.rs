//! JSON Schemas in words: the fields of a body, their types, and an example.

use crate::openapi::{Port, properties, text};
use serde_json::{Map, Value};

/// A field of a body.
pub struct Field {
    /// Its path: `items[].price`.
    pub path: String,
    /// Its type with limits: `integer, 1 to 100`.
    pub kind: String,
    /// Whether it is always present.
    pub is_required: bool,
    /// What it is.
    pub description: String,
}

/// The fields of a schema and of the objects in it. `prefix` is the path of the schema.
pub fn fields(port: &Port, schema: &Value, prefix: &str) -> Vec<Field> {
    let schema = port.resolve(schema);
    let mut found: Vec<_> = parts(schema).flat_map(|part| fields(port, part, prefix)).collect();
    if !schema["items"].is_null() {
        found.extend(fields(port, &schema["items"], &format!("{prefix}[]")));
    }
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().map(text).collect();
    let path = |name: &str| {
        if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
    };
    for (name, property) in properties(&schema["properties"]) {
        let path = path(name);
        found.push(Field {
            kind: kind(port, property),
            is_required: required.contains(&name.as_str()),
            description: description(port, property),
            path: path.clone(),
        });
        found.extend(fields(port, property, &path));
    }
    let others = &schema["additionalProperties"];
    if others.is_object() {
        found.extend(fields(port, others, &path("*")));
    }
    found
}

/// The schemas that a schema consists of, and its alternatives.
fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["allOf", "oneOf"].map(|name| schema[name].as_array());
    lists.into_iter().flatten().flatten()
}

/// A schema's property, which a reference may override.
fn attribute<'a>(port: &'a Port, schema: &'a Value, name: &str) -> &'a Value {
    if schema[name].is_null() { &port.resolve(schema)[name] } else { &schema[name] }
}

/// The type of a schema with its limits.
pub fn kind(port: &Port, schema: &Value) -> String {
    let get = |name| attribute(port, schema, name);
    let alternatives = if get("type").is_null() { get("anyOf") } else { &Value::Null };
    if let Some(alternatives) = get("oneOf").as_array().or(alternatives.as_array()) {
        let kinds: Vec<String> = alternatives.iter().map(|one| kind(port, one)).collect();
        return kinds.join(" or ");
    }
    if let Some(values) = get("enum").as_array() {
        let values: Vec<String> =
            values.iter().map(|value| format!("`{}`", plain(value))).collect();
        return values.join(", ");
    }
    let names: Vec<&str> = match get("type") {
        Value::Array(names) => names.iter().map(text).collect(),
        name => vec![text(name)],
    };
    let limits = limits(&get);
    let kinds = names.iter().map(|name| match *name {
        "array" => format!("list of {}{limits}", kind(port, get("items"))),
        "string" if !get("format").is_null() => format!("{}{limits}", format(text(get("format")))),
        "null" => "null".to_owned(),
        "" => "object".to_owned(),
        name => format!("{name}{limits}"),
    });
    kinds.collect::<Vec<_>>().join(" or ")
}

fn format(name: &str) -> &str {
    match name {
        "date-time" => "time",
        "idn-email" => "email address",
        "uuid" => "UUID",
        name => name,
    }
}

fn limits<'a>(get: &impl Fn(&'static str) -> &'a Value) -> String {
    // The highest integer is no limit that a reader needs.
    let is_highest = |most: &Value| most.as_i64() == Some(i64::MAX);
    let range = |least, most, unit: &str| match (get(least), get(most)) {
        (Value::Null, Value::Null) => String::new(),
        (least, most) if most.is_null() || is_highest(most) => format!(", at least {least}{unit}"),
        (Value::Null, most) => format!(", at most {most}{unit}"),
        (least, most) => format!(", {least} to {most}{unit}"),
    };
    let decimals = get("multipleOf").as_f64().map(|step| -step.log10().round());
    [
        range("minimum", "maximum", ""),
        range("minLength", "maxLength", " characters"),
        range("minItems", "maxItems", " items"),
        decimals.map_or(String::new(), |decimals| format!(", at most {decimals} decimals")),
    ]
    .concat()
}

/// The description of a schema, or of what it refers to.
fn description(port: &Port, schema: &Value) -> String {
    let own = std::iter::once(schema).chain(parts(schema));
    let found = own.map(|schema| text(attribute(port, schema, "description")));
    let items = text(attribute(port, &schema["items"], "description"));
    let found = found.chain([items]).find(|found| !found.is_empty());
    found.unwrap_or_default().to_owned()
}

/// An example of a value: the schema's own, or one made of its properties' examples.
pub fn example(port: &Port, schema: &Value) -> Option<Value> {
    let own = attribute(port, schema, "examples");
    if let Some(example) = own.get(0) {
        return Some(example.clone());
    }
    let schema = port.resolve(schema);
    if !schema["items"].is_null() {
        return Some(Value::Array(vec![example(port, &schema["items"])?]));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.first().cloned();
    }
    let mut object = Map::new();
    for part in parts(schema) {
        match example(port, part) {
            Some(Value::Object(part)) => object.extend(part),
            Some(value) => return Some(value),
            None => {}
        }
    }
    for (name, property) in properties(&schema["properties"]) {
        object.extend(example(port, property).map(|value| (name.clone(), value)));
    }
    (!object.is_empty()).then_some(Value::Object(object))
}

/// A value as people write it: texts without quotes.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn port() -> serde_json::Result<Port> {
        let id = json!({"type": "integer", "minimum": 1, "maximum": i64::MAX, "examples": [1]});
        let name = json!({"type": "string", "minLength": 1, "maxLength": 200});
        let schemas = json!({"Id": id, "Name": name});
        Port::new(("", 0, ""), true, &json!({"components": {"schemas": schemas}}))
    }

    fn reference(name: &str) -> Value {
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    #[test]
    fn a_type_has_its_limits() -> serde_json::Result<()> {
        let port = port()?;
        for (schema, expected) in [
            (reference("Id"), "integer, at least 1"),
            (reference("Name"), "string, 1 to 200 characters"),
            (
                json!({"type": ["integer", "null"], "minimum": 0, "maximum": 9}),
                "integer, 0 to 9 or null",
            ),
            (json!({"oneOf": [reference("Id"), {"type": "null"}]}), "integer, at least 1 or null"),
            (json!({"type": "string", "enum": ["asc", "desc"]}), "`asc`, `desc`"),
            (
                json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string"}]}),
                "time or string",
            ),
            (json!({"type": "number", "multipleOf": 0.0001}), "number, at most 4 decimals"),
            (
                json!({"type": "array", "items": reference("Id"), "minItems": 1, "maxItems": 2}),
                "list of integer, at least 1, 1 to 2 items",
            ),
        ] {
            assert_eq!(kind(&port, &schema), expected, "{schema}");
        }
        Ok(())
    }

    #[test]
    fn fields_of_parts_and_of_items_have_paths() -> serde_json::Result<()> {
        let port = port()?;
        let line =
            json!({"properties": {"quantity": {"type": "integer"}}, "required": ["quantity"]});
        let items = json!({"properties": {"items": {"type": "array", "items": line}}});
        let schema = json!({"allOf": [{"properties": {"id": reference("Id")}}, items]});
        let fields = fields(&port, &schema, "");
        let found: Vec<_> = fields.iter().map(|one| (&*one.path, one.is_required)).collect();
        assert_eq!(found, [("id", false), ("items", false), ("items[].quantity", true)]);
        assert_eq!(example(&port, &schema), Some(json!({"id": 1})));
        Ok(())
    }
}
