//! The protocol written down for other languages: one JSON Schema, and TypeScript declarations made from it.
//!
//! Both are checked in below docs/ and compared by a test; `cargo run -p aloft-bridge --example export-protocol` writes
//! them anew.

mod typescript;

use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::protocol::error::{ErrorData, ErrorReport};
use crate::protocol::request::cloud::Check;
use crate::protocol::{VERSION, method};

/// Returns the JSON Schema (2020-12). Besides `$defs` it has our own keywords `requests` and `notifications`.
pub fn json_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let requests: Map<String, Value> = method::requests(&mut generator)
        .into_iter()
        .map(|request| {
            (request.name.to_owned(), json!({ "params": request.params, "result": request.result }))
        })
        .collect();
    let notifications: Map<String, Value> = method::notifications(&mut generator)
        .into_iter()
        .map(|notification| {
            (notification.name.to_owned(), json!({ "params": notification.params }))
        })
        .collect();
    // Shapes that no request has: of errors, and of the CLI.
    generator.subschema_for::<ErrorData>();
    generator.subschema_for::<ErrorReport>();
    generator.subschema_for::<Check>();
    let mut definitions = Value::Object(generator.take_definitions(true));
    drop_null(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The protocol of Aloft",
        "description": "JSON-RPC requests and notifications of `aloft lsp`, and what `--json` prints.",
        "version": VERSION,
        "requests": requests,
        "notifications": notifications,
        "$defs": definitions,
    })
}

/// Returns the checked-in files: where they are below the project's folder, and what they hold.
pub fn files() -> [(PathBuf, String); 2] {
    let schema = json_schema();
    #[expect(clippy::expect_used, reason = "a JSON value can always be written")]
    let text = serde_json::to_string_pretty(&schema).expect("written") + "\n";
    let declarations = typescript::declarations(&schema);
    [
        (Path::new("docs").join("protocol.schema.json"), text),
        (Path::new("docs").join("protocol.d.ts"), declarations),
    ]
}

/// An absent field is left out, never `null`: takes `null` out of what optional properties may be.
fn drop_null(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(drop_null),
        Value::Object(fields) => {
            let required: Vec<String> = fields
                .get("required")
                .and_then(Value::as_array)
                .map(|names| {
                    names.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
                })
                .unwrap_or_default();
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                for (name, property) in properties.iter_mut() {
                    if !required.contains(name) {
                        without_null(property);
                    }
                }
            }
            fields.values_mut().for_each(drop_null);
        }
        _ => {}
    }
}

fn without_null(property: &mut Value) {
    let Value::Object(fields) = property else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = fields.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        fields.remove("anyOf");
        fields.extend(only);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_files_are_current() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (path, content) in files() {
            let there = std::fs::read_to_string(project.join(&path)).unwrap_or_default();
            assert!(
                there == content,
                "{} is not current; run: cargo run -p aloft-bridge --example export-protocol",
                path.display()
            );
        }
    }

    #[test]
    fn every_reference_has_its_definition() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
                    fields.values().for_each(|part| references(part, found));
                }
                Value::Array(parts) => parts.iter().for_each(|part| references(part, found)),
                _ => {}
            }
        }
        let schema = json_schema();
        let mut found = Vec::new();
        references(&schema, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(schema.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn optional_properties_are_absent_instead_of_null() {
        let thread = &json_schema()["$defs"]["Thread"];
        assert_eq!(thread["properties"]["model"]["type"], "string");
        assert_eq!(thread["properties"]["error"]["$ref"], "#/$defs/Problem");
        let required = thread["required"].as_array().unwrap();
        assert!(
            required.iter().any(|name| name == "slug")
                && required.iter().all(|name| name != "model")
        );
    }
}
