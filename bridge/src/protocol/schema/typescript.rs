//! Writes the schema as TypeScript declarations. It knows what our own types come out as, not all of JSON Schema.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Returns the declarations: each definition, then `Requests` and `Notifications` by name.
pub(crate) fn declarations(schema: &Value) -> String {
    let mut text = String::from(
        "// The protocol of Aloft. Made from the Rust types; do not edit.\n// Unknown values and fields may appear in newer versions: ignore them.\n",
    );
    for (name, definition) in members(&schema["$defs"]) {
        text.push('\n');
        comment(&mut text, definition, "");
        push(&mut text, format_args!("export type {name} = {};\n", type_of(definition, "")));
    }
    text.push_str("\n/** Requests by name. */\nexport interface Requests {\n");
    for (name, request) in members(&schema["requests"]) {
        let (params, result) =
            (type_of(&request["params"], "  "), type_of(&request["result"], "  "));
        push(&mut text, format_args!("  \"{name}\": {{ params: {params}; result: {result} }};\n"));
    }
    text.push_str(
        "}\n\n/** Notifications from the bridge by name. */\nexport interface Notifications {\n",
    );
    for (name, notification) in members(&schema["notifications"]) {
        push(
            &mut text,
            format_args!("  \"{name}\": {};\n", type_of(&notification["params"], "  ")),
        );
    }
    text.push_str("}\n");
    text
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Returns the type a schema describes; `indent` is that of the line it stands in.
fn type_of(schema: &Value, indent: &str) -> String {
    let Value::Object(fields) = schema else { return "unknown".to_owned() };
    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or("unknown").to_owned();
    }
    if let Some(constant) = fields.get("const") {
        return constant.to_string();
    }
    if let Some(Value::Array(values)) = fields.get("enum") {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    let own = own_type(fields, indent);
    let choices = ["oneOf", "anyOf"].iter().find_map(|keyword| fields.get(*keyword)?.as_array());
    match (own, choices) {
        (own, None) => own.unwrap_or_else(|| "unknown".to_owned()),
        (None, Some(choices)) => union(choices, indent),
        (Some(own), Some(choices)) => {
            format!("{own} & (\n{indent}  {}\n{indent})", union(choices, indent))
        }
    }
}

fn own_type(fields: &Map<String, Value>, indent: &str) -> Option<String> {
    match fields.get("type")? {
        Value::Array(names) => {
            let parts =
                names.iter().filter_map(Value::as_str).map(|name| named(name, fields, indent));
            Some(parts.collect::<Vec<_>>().join(" | "))
        }
        Value::String(name) => Some(named(name, fields, indent)),
        _ => None,
    }
}

fn named(name: &str, fields: &Map<String, Value>, indent: &str) -> String {
    match name {
        "integer" | "number" => "number".to_owned(),
        "array" => {
            let of = fields
                .get("items")
                .map_or_else(|| "unknown".to_owned(), |items| type_of(items, indent));
            if of.contains([' ', '\n']) { format!("({of})[]") } else { format!("{of}[]") }
        }
        "object" => object(fields, indent),
        other => other.to_owned(),
    }
}

fn object(fields: &Map<String, Value>, indent: &str) -> String {
    let required: Vec<&str> = fields
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let deeper = format!("{indent}  ");
    let mut text = String::from("{\n");
    for (name, property) in fields.get("properties").into_iter().flat_map(members) {
        comment(&mut text, property, &deeper);
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        push(&mut text, format_args!("{deeper}{name}{mark}: {};\n", type_of(property, &deeper)));
    }
    if let Some(others @ Value::Object(_)) = fields.get("additionalProperties") {
        let of = if fields.contains_key("properties") {
            "unknown".to_owned()
        } else {
            type_of(others, &deeper)
        };
        push(&mut text, format_args!("{deeper}[name: string]: {of};\n"));
    }
    if text == "{\n" {
        return "Record<string, never>".to_owned();
    }
    push(&mut text, format_args!("{indent}}}"));
    text
}

fn union(choices: &[Value], indent: &str) -> String {
    let deeper = format!("{indent}  ");
    choices
        .iter()
        .map(|choice| type_of(choice, &deeper))
        .collect::<Vec<_>>()
        .join(&format!("\n{deeper}| "))
}

fn comment(text: &mut String, schema: &Value, indent: &str) {
    if let Some(words) = schema.get("description").and_then(Value::as_str) {
        let words = words.replace('\n', " ").replace("*/", "*\\/");
        push(text, format_args!("{indent}/** {words} */\n"));
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    #[expect(clippy::expect_used, reason = "a String takes everything")]
    text.write_fmt(arguments).expect("written");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_become_types() {
        let cases = [
            (json!({"type": "integer"}), "number"),
            (json!({"$ref": "#/$defs/Thread"}), "Thread"),
            (json!({"enum": ["a", "b"]}), "\"a\" | \"b\""),
            (json!({"type": "array", "items": {"type": ["string", "null"]}}), "(string | null)[]"),
            (json!({"type": "object"}), "Record<string, never>"),
            (json!(true), "unknown"),
            (
                json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}, "required": ["a"]}),
                "{\n  a: string;\n  b?: boolean;\n}",
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": [{"const": "x"}, {"const": "y"}]}),
                "{\n  a?: string;\n} & (\n  \"x\"\n  | \"y\"\n)",
            ),
        ];
        for (schema, expected) in cases {
            assert_eq!(type_of(&schema, ""), expected);
        }
    }
}
